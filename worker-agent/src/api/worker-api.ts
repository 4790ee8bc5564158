import { type Client, createClient } from '../../../schema/client/client.ts';
import type { Output } from '../../../schema/route.ts';
import type { Routes } from '../../../schema/routes.ts';
import type { LogChunkSpec } from '../../../schema/log.ts';
import type { FailureClass } from '../../../schema/task.ts';
import type { CompleteManySpec, HeartbeatSpec } from '../../../schema/worker.ts';
import type { Usage } from '../tools/adapter.ts';
import { askedMs, type RetryOptions, retrying } from './retry.ts';

export type Fenced = { subtask_id: string; lease_token: string; attempt: number };
export type ClaimAnswer = Output<Routes['claimSubtasks']>;
export type CompleteAnswer = Output<Routes['completeSubtasks']>;

export type ApiOptions = {
  url: string;
  workerId: string;
  /** Read at each request: it is renewed while the worker runs. */
  credential: () => string;
  timeoutMs: number;
  onRetry?: (operation: string, error: Error, waitMs: number, tries: number) => void;
};

const fenceOf = ({ lease_token, attempt }: Fenced) => ({ lease_token, attempt });
const at = ({ subtask_id }: Fenced) => ({ subtask_id });

/** The platform's API for a worker. Each write is repeated with the same content until it is answered. */
export class WorkerApi {
  readonly url: string;
  /** Send nothing before this time, as the server asked; on the clock of performance.now(). */
  notBefore = 0;
  readonly #client: Client;
  readonly #params: { worker_id: string };
  readonly #onRetry: NonNullable<ApiOptions['onRetry']>;

  constructor({ url, workerId, credential, timeoutMs, onRetry = () => {} }: ApiOptions) {
    this.url = url;
    this.#client = createClient({ url, token: credential, timeoutMs });
    this.#params = { worker_id: workerId };
    this.#onRetry = onRetry;
  }

  #repeat<T>(operation: string, call: () => Promise<T>, options: RetryOptions): Promise<T> {
    return retrying(() => call().catch((error) => this.#recordRetryAfter(error)), {
      onRetry: (error, wait, tries) => this.#onRetry(operation, error, wait, tries),
      ...options,
    });
  }

  #recordRetryAfter(error: unknown): never {
    this.notBefore = Math.max(this.notBefore, performance.now() + askedMs(error));
    throw error;
  }

  /** Not repeated: the next heartbeat sends the same with newer data. */
  heartbeat(body: HeartbeatSpec, signal: AbortSignal) {
    return this.#client.heartbeat({ params: this.#params, body }, { signal });
  }

  /** Where to open a WebSocket. */
  ticket(signal: AbortSignal): Promise<{ url: string }> {
    return this.#client.createWorkerTicket({ params: this.#params }, { signal });
  }

  claim(body: { claim_request_id: string; limit: number; tools: string[]; repeated: boolean }, retry: RetryOptions): Promise<ClaimAnswer> {
    let { repeated } = body;
    const call = () => {
      const claim = { ...body, start: true, repeated };
      repeated = true;
      return this.#client.claimSubtasks({ params: this.#params, body: claim });
    };
    return this.#repeat('claim', call, retry);
  }

  /** `body` is called for each try, so that it can leave out what must no longer be sent. */
  completeMany(body: () => CompleteManySpec, retry: RetryOptions): Promise<CompleteAnswer> {
    return this.#repeat('complete', () => this.#client.completeSubtasks({ params: this.#params, body: body() }), retry);
  }

  start(it: Fenced, retry: RetryOptions) {
    return this.#repeat('start', () => this.#client.startSubtask({ params: at(it), body: fenceOf(it) }), retry);
  }

  fail(it: Fenced, failure: { failure_class: FailureClass; message: string; usage?: Usage }, retry: RetryOptions) {
    return this.#repeat('fail', () => this.#client.failSubtask({ params: at(it), body: { ...fenceOf(it), ...failure } }), retry);
  }

  release(it: Fenced, reason: string, retry: RetryOptions) {
    return this.#repeat('release', () => this.#client.releaseSubtask({ params: at(it), body: { ...fenceOf(it), reason } }), retry);
  }

  appendLogs(it: Fenced, chunks: LogChunkSpec[], retry: RetryOptions) {
    return this.#repeat('logs', () => this.#client.appendLogs({ params: at(it), body: { ...fenceOf(it), chunks } }), retry);
  }

  getInput(it: Fenced, key: string, retry: RetryOptions & { signal: AbortSignal }) {
    return this.#repeat('input', () => this.#client.getInput({ params: { ...at(it), key } }, { signal: retry.signal }), retry);
  }

  createArtifact(
    it: Fenced,
    file: { name: string; content_type: string; size_bytes: number; sha256: string; artifact_id: string },
    retry: RetryOptions,
  ) {
    return this.#repeat('artifact', () => this.#client.createArtifact({ params: at(it), body: { ...fenceOf(it), ...file } }), retry);
  }

  storeArtifact(it: Fenced, artifactId: string, retry: RetryOptions) {
    const params = { ...at(it), artifact_id: artifactId };
    return this.#repeat('artifact', () => this.#client.storeArtifact({ params, body: fenceOf(it) }), retry);
  }
}
