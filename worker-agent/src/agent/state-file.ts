import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { Intervals } from '../../../schema/worker.ts';
import { writeDurably } from './durable-file.ts';

/** The file format that this version writes. Increment it for a change that older versions cannot read. */
const FORMAT = 1;

/** What a worker stores between starts. Fields that a newer version wrote are preserved. */
const State = z.looseObject({
  /** Files of the first versions have no format field. */
  format: z.int().default(1),
  url: z.string(),
  name: z.string(),
  /** Written before the worker registers, so that a registration whose answer was lost is repeated with the same id. */
  registration_id: z.uuid(),
  /** Identifies the enrolment token of the registration; the token itself is not stored. */
  token_hash: z.string(),
  worker_id: z.uuid().optional(),
  credential: z.string().optional(),
  tools: z.array(z.string()).optional(),
  slots: z.int().optional(),
  intervals: Intervals.optional(),
});
export type State = z.input<typeof State>;

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The state file of a worker: one for each server and name. */
export class StateFile {
  readonly path: string;
  /** The folder that has the folders of this worker's attempts, and of no other worker. */
  readonly workspaces: string;
  /** The folder for what could not be sent. */
  readonly spool: string;

  constructor(stateDir: string, url: string, name: string) {
    const readable = name.replace(/[^\w.-]+/g, '_').slice(0, 40);
    const id = hashOf(`${url}\n${name}`).slice(0, 12);
    this.path = join(stateDir, 'workers', `${readable}-${id}.json`);
    this.workspaces = join(stateDir, 'workspaces', id);
    this.spool = join(stateDir, 'spool', id);
  }

  /** Returns null when the worker was never enrolled on this machine. Throws when the file is broken. */
  async read(): Promise<State | null> {
    const text = await readFile(this.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (text === null) return null;
    const state = this.#parse(text);
    if (state.format > FORMAT)
      throw new Error(`${this.path} was written by a newer version of the worker; start that one, or enrol this one with another name`);
    return state;
  }

  #parse(text: string): z.output<typeof State> {
    try {
      return State.parse(JSON.parse(text));
    } catch (cause) {
      throw new Error(`${this.path} is broken; remove it and enrol the worker again`, { cause });
    }
  }

  /** Replaces the file atomically: after a crash it has either the old or the new content. Only its owner can read it. */
  async write(state: State): Promise<void> {
    await writeDurably(this.path, `${JSON.stringify({ ...state, format: FORMAT }, null, 2)}\n`);
  }
}
