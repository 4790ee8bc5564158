import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { Intervals } from '../../../schema/worker.ts';
import { writeDurably } from './durable-file.ts';

/** Of the file that this version writes. A change that older versions could not live with takes the next number. */
const FORMAT = 1;

/** What a worker keeps from one start to the next. What a newer version wrote besides stays. */
const State = z.looseObject({
  /** Files of the first versions have none. */
  format: z.int().default(1),
  url: z.string(),
  name: z.string(),
  /** Written before the worker registers: with it a registration whose answer was lost is repeated. */
  registration_id: z.uuid(),
  /** Which enrolment token the registration belongs to; the token itself is not kept. */
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
  /** Where the folders of its attempts are: no other worker's. */
  readonly workspaces: string;
  /** Where it keeps what it could not send. */
  readonly spool: string;

  constructor(stateDir: string, url: string, name: string) {
    const readable = name.replace(/[^\w.-]+/g, '_').slice(0, 40);
    const id = hashOf(`${url}\n${name}`).slice(0, 12);
    this.path = join(stateDir, 'workers', `${readable}-${id}.json`);
    this.workspaces = join(stateDir, 'workspaces', id);
    this.spool = join(stateDir, 'spool', id);
  }

  /** Null when the worker was never enrolled here. Throws when the file is broken. */
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

  /** Replaces the file in one step, so that a crash leaves the old one or the new one; only its owner can read it. */
  async write(state: State): Promise<void> {
    await writeDurably(this.path, `${JSON.stringify({ ...state, format: FORMAT }, null, 2)}\n`);
  }
}
