import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Claimed, InputValue } from '../../../schema/attempt.ts';
import { AppError, ERRORS } from '../../../schema/errors.ts';
import type { Json } from '../../../schema/json.ts';
import type { LogChunkSpec } from '../../../schema/log.ts';
import type { Route } from '../../../schema/route.ts';
import { allRoutes, type RouteName } from '../../../schema/routes.ts';

export type Call = {
  name: RouteName;
  params: Record<string, string>;
  query: Record<string, string>;
  body: any;
  headers: IncomingMessage['headers'];
};
type Handler = (call: Call) => unknown;
/** What an interceptor does with a call: pass it on, cut the connection before or after its effect, return an error, or answer like a proxy. */
export type Verdict = 'pass' | 'cut-before' | 'cut-after' | { answer: unknown } | { proxyStatus: number } | AppError;
type Interceptor = (call: Call) => Verdict | Promise<Verdict>;
export type Ended = { kind: 'completed' | 'failed' | 'released'; body: any };

const CREDENTIAL = 'credential-of-the-worker';
const WORKER_ID = '00000000-0000-4000-8000-00000000000a';
export const now = () => new Date().toISOString();
export const INTERVALS = { idle_heartbeat_ms: 60_000, busy_heartbeat_ms: 20, claim_poll_ms: 20, lease_ms: 60_000 };

/** A fake platform behind real HTTP. It checks requests and answers against the contracts. */
export class FakePlatform {
  readonly calls: Call[] = [];
  readonly ended = new Map<string, Ended>();
  readonly logs = new Map<string, LogChunkSpec[]>();
  readonly blobs = new Map<string, Buffer>();
  readonly artifacts = new Map<
    string,
    { artifact_id: string; sha256: string; stored: boolean; content_type: string; name: string; size_bytes: number }
  >();
  readonly lost = new Set<string>();
  readonly cancelled = new Set<string>();
  readonly waiting: Claimed[] = [];
  readonly inputs = new Map<string, InputValue>();
  readonly handlers: Partial<Record<RouteName, Handler>> = {};
  readonly given = new Map<string, Claimed[]>();
  readonly worker = {
    worker_id: WORKER_ID,
    credential: CREDENTIAL,
    mode: 'active' as 'active' | 'draining',
    renewed: null as string | null,
  };
  intervals = INTERVALS;
  /** Adds fields to its answers that the worker does not know. */
  isNewer = false;
  /** Cuts every connection. */
  isUnavailable = false;
  /** Comes with every error. */
  retryAfterSeconds: number | null = null;
  url = '';
  #interceptors: Partial<Record<RouteName, Interceptor>> = {};
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  intercept(name: RouteName, interceptor: Interceptor): void {
    this.#interceptors[name] = interceptor;
  }

  of(name: RouteName): Call[] {
    return this.calls.filter((call) => call.name === name);
  }

  /** Puts a subtask into the queue. */
  add(given: Partial<Claimed> = {}): Claimed {
    const claimed: Claimed = {
      subtask_id: randomUUID(),
      task_id: randomUUID(),
      key: 'main',
      kind: 'work',
      goal: 'say hello',
      task_goal: 'say hello',
      tool: 'scripted',
      input: {},
      inputs: {},
      labels: {},
      timeout_seconds: 60,
      idle_timeout_seconds: null,
      first_event_timeout_seconds: null,
      verify: [],
      result_schema: null,
      attempt: 1,
      lease_token: randomUUID(),
      lease_seconds: 60,
      started: true,
      ...given,
    };
    this.waiting.push(claimed);
    return claimed;
  }

  parent(key: string, result: Json, more: Partial<InputValue> = {}): Record<string, InputValue> {
    return { [key]: { subtask_id: randomUUID(), status: 'completed', result, result_artifact_id: null, included: true, ...more } };
  }

  output(claimed: Claimed): Json {
    const ended = this.ended.get(claimed.subtask_id);
    if (ended?.kind !== 'completed') throw new Error(`not completed: ${JSON.stringify(ended)}`);
    return ended.body.result;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.isUnavailable) return void request.socket.destroy();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const [path = '', query = ''] = (request.url ?? '').split('?');
    if (path.startsWith('/blobs/')) return this.#blob(request, response, path.slice(7), body);
    try {
      const call = parseCall(request, path, query, body);
      this.calls.push(call);
      const verdict = (await this.#interceptors[call.name]?.(call)) ?? 'pass';
      if (verdict === 'cut-before') return void request.socket.destroy();
      if (verdict instanceof AppError) throw verdict;
      if (typeof verdict === 'object' && 'proxyStatus' in verdict)
        return void response.writeHead(verdict.proxyStatus).end('<html>no</html>');
      const answer = typeof verdict === 'object' ? verdict.answer : this.#answer(call);
      if (verdict === 'cut-after') return void request.socket.destroy();
      const route = allRoutes.find(({ name }) => name === call.name) as Route;
      const output = route.output.parse(answer);
      send(response, route.status, this.isNewer ? withMore(output) : output);
    } catch (error) {
      if (this.retryAfterSeconds !== null) response.setHeader('retry-after', this.retryAfterSeconds);
      sendProblem(response, error);
    }
  }

  #blob(request: IncomingMessage, response: ServerResponse, id: string, body: Buffer): void {
    if (request.method === 'PUT') this.blobs.set(id, body);
    const stored = this.blobs.get(id);
    response.statusCode = stored === undefined ? 404 : 200;
    response.end(request.method === 'GET' ? stored : undefined);
  }

  #answer(call: Call): unknown {
    const own = this.handlers[call.name];
    if (own) return own(call);
    const handler = (this as unknown as Record<string, Handler | undefined>)[call.name];
    if (handler === undefined) throw new AppError('not_found', `the fake has no ${call.name}`);
    return handler.call(this, call);
  }

  #fence({ subtask_id, lease_token, attempt }: { subtask_id: string; lease_token: string; attempt: number }): void {
    const held = [...this.given.values()].flat().find((it) => it.subtask_id === subtask_id);
    if (held === undefined) throw new AppError('subtask_not_found', 'No subtask has this id');
    if (held.lease_token !== lease_token || held.attempt !== attempt || this.lost.has(subtask_id))
      throw new AppError('lease_lost', ERRORS.lease_lost[1]);
  }

  #fenced = ({ params, body }: Call) => {
    const it = { subtask_id: params.subtask_id as string, ...body };
    this.#fence(it);
    return it;
  };

  #end(subtask_id: string, kind: Ended['kind'], body: unknown) {
    this.ended.set(subtask_id, { kind, body });
    const status = kind === 'completed' ? ('completed' as const) : kind === 'failed' ? ('failed' as const) : ('ready' as const);
    return { subtask_id, status, task_status: 'running' as const };
  }

  #claim({ claim_request_id, limit }: { claim_request_id: string; limit: number }) {
    const before = this.given.get(claim_request_id);
    const claimed = before ?? this.waiting.splice(0, limit);
    if (claimed.length > 0) this.given.set(claim_request_id, claimed);
    return { claimed, empty_reason: claimed.length > 0 ? null : ('nothing_ready' as const), claim_poll_ms: this.intervals.claim_poll_ms };
  }

  protected claimSubtasks({ body }: Call) {
    return this.#claim(body);
  }

  protected completeSubtasks({ body }: Call) {
    const results = body.completions.map(({ subtask_id, ...it }: any) => {
      try {
        this.#fence({ subtask_id, ...it });
        return { ok: true, ...this.#end(subtask_id, 'completed', it) };
      } catch (error) {
        return { ok: false, subtask_id, code: (error as AppError).code, detail: (error as Error).message };
      }
    });
    return { results, claim: body.claim ? this.#claim(body.claim) : null };
  }

  protected startSubtask(call: Call) {
    return { subtask_id: this.#fenced(call).subtask_id, status: 'running' };
  }

  protected failSubtask(call: Call) {
    return this.#end(this.#fenced(call).subtask_id, 'failed', call.body);
  }

  protected releaseSubtask(call: Call) {
    return this.#end(this.#fenced(call).subtask_id, 'released', call.body);
  }

  protected appendLogs(call: Call) {
    const { subtask_id, chunks } = this.#fenced(call);
    const stored = this.logs.get(subtask_id) ?? [];
    for (const chunk of chunks as LogChunkSpec[]) if (!stored.some((it) => it.chunk === chunk.chunk)) stored.push(chunk);
    this.logs.set(subtask_id, stored);
    return { next_chunk: stored.length };
  }

  protected heartbeat({ body }: Call) {
    const leases = (body.leases ?? []).map(({ subtask_id, attempt }: { subtask_id: string; attempt: number }) => ({
      subtask_id,
      attempt,
      state: this.lost.has(subtask_id) || this.cancelled.has(subtask_id) ? 'lost' : 'renewed',
      directive: this.cancelled.has(subtask_id) ? 'cancel' : null,
    }));
    return { leases, mode: this.worker.mode, intervals: this.intervals, credential: this.worker.renewed };
  }

  protected registerWorker({ body }: Call) {
    return { worker: workerOf(body), credential: CREDENTIAL, intervals: this.intervals };
  }

  protected getInput({ params }: Call) {
    const input = this.inputs.get(params.key ?? '');
    if (input === undefined) throw new AppError('subtask_not_found', 'no such parent');
    const id = input.result_artifact_id;
    return { ...input, included: true, download: id === null ? null : this.#transfer('GET', id) };
  }

  protected createArtifact(call: Call) {
    const { subtask_id, name, sha256, size_bytes, content_type, attempt, artifact_id = randomUUID() } = this.#fenced(call);
    if (!this.artifacts.has(artifact_id))
      this.artifacts.set(artifact_id, { artifact_id, sha256, stored: false, content_type, name, size_bytes });
    return { ...this.#artifact(artifact_id, subtask_id, attempt), upload: this.#transfer('PUT', artifact_id) };
  }

  protected storeArtifact(call: Call) {
    const { subtask_id, attempt } = this.#fenced(call);
    const artifact = this.artifacts.get(call.params.artifact_id ?? '');
    const bytes = this.blobs.get(artifact?.artifact_id ?? '');
    if (artifact === undefined || bytes === undefined) throw new AppError('artifact_not_stored', 'nothing is stored');
    if (createHash('sha256').update(bytes).digest('hex') !== artifact.sha256) throw new AppError('artifact_mismatch', 'other bytes');
    artifact.stored = true;
    return this.#artifact(artifact.artifact_id, subtask_id, attempt);
  }

  protected getHealth() {
    return {
      status: 'healthy',
      app: 'Multi-Agent on the Web',
      version: '0.1.0',
      services: { database: 'connected', redis: 'not_configured' },
    };
  }

  #artifact(artifactId: string, subtask_id: string, attempt: number) {
    const { sha256, stored, ...rest } = this.artifacts.get(artifactId)!;
    return { ...rest, sha256, subtask_id, task_id: randomUUID(), attempt, status: stored ? 'stored' : 'pending', created_at: now() };
  }

  #transfer(method: 'PUT' | 'GET', id: string) {
    return { method, url: `${this.url}/blobs/${id}`, headers: {}, expires_at: now() };
  }
}

export const workerOf = (given: { name: string; machine_name: string; tools: string[]; slots?: number }) => ({
  worker_id: WORKER_ID,
  status: 'online' as const,
  mode: 'active' as const,
  labels: {},
  running: 0,
  owner_ids: null,
  agent_version: 'test',
  version: 1,
  last_seen_at: now(),
  registered_at: now(),
  slots: 1,
  ...given,
});

const matchers = allRoutes.map((route) => ({ route, pattern: new RegExp(`^${route.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`) }));

const parseCall = (request: IncomingMessage, path: string, search: string, bytes: Buffer): Call => {
  const found = matchers.find(({ route, pattern }) => route.method === request.method && pattern.test(path));
  if (found === undefined) throw new AppError('not_found', `nothing at ${request.method} ${path}`);
  const { route, pattern } = found;
  const params = Object.fromEntries(
    Object.entries(pattern.exec(path)?.groups ?? {}).map(([key, value]) => [key, decodeURIComponent(value)]),
  );
  const query = Object.fromEntries(new URLSearchParams(search));
  const text = bytes.toString('utf8');
  if (/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/i.test(text)) throw new AppError('invalid_request', 'U+0000 or a lone surrogate');
  const raw = text === '' ? undefined : JSON.parse(text);
  const parts: [string, { safeParse(value: unknown): { success: boolean; error?: Error } } | undefined, unknown][] = [
    ['params', route.params, params],
    ['query', route.query, query],
    ['body', route.body, raw ?? (route.optionalBody ? {} : undefined)],
  ];
  for (const [part, schema, value] of parts) {
    const parsed = schema?.safeParse(value);
    if (parsed && !parsed.success) throw new AppError('invalid_request', `${part}: ${parsed.error?.message}`);
  }
  return { name: route.name as RouteName, params, query, body: raw, headers: request.headers };
};

/** Fields whose keys and values come from the submitter of the task. */
const FREE = new Set(['input', 'inputs', 'labels', 'result']);

const withMore = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withMore);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, FREE.has(key) ? item : withMore(item)]);
  return { ...Object.fromEntries(entries), of_a_newer_version: { more: [1] } };
};

const send = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

const sendProblem = (response: ServerResponse, error: unknown): void => {
  const known = error instanceof AppError ? error : new AppError('internal', String((error as Error).stack));
  const [status, title] = ERRORS[known.code];
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(
    JSON.stringify({
      type: `urn:x:${known.code}`,
      title,
      status,
      detail: known.message,
      code: known.code,
      errors: known.errors,
      request_id: 'r-1',
    }),
  );
};

/** A platform for the running test. */
export const startPlatform = async (): Promise<FakePlatform> => {
  const platform = await new FakePlatform().listen();
  onTestFinished(() => platform.close());
  return platform;
};
