import { Problem } from '../errors.ts';
import type { Input, Output, Route } from '../route.ts';
import { ROUTES, type RouteName, type Routes } from '../routes.ts';
import { backoffMs } from './backoff.ts';
import { withTimeout } from './with-timeout.ts';

export type ClientOptions = {
  /** The URL of the platform, such as http://127.0.0.1:8080; a path in it is kept as a prefix. */
  url: string;
  /** An API key, an enrolment token or a worker's credential; a function if it can change. */
  token?: string | undefined | (() => string | undefined);
  fetch?: typeof fetch;
  timeoutMs?: number;
};

export type CallOptions = {
  /** If omitted, a key is generated for an idempotent operation; pass one to repeat a call whose outcome is unknown. */
  idempotencyKey?: string;
  /** The version to change, as a number or an ETag. */
  ifMatch?: number | string;
  signal?: AbortSignal;
};

type Method<R extends Route> =
  Record<string, never> extends Input<R>
    ? (input?: Input<R>, options?: CallOptions) => Promise<Output<R>>
    : (input: Input<R>, options?: CallOptions) => Promise<Output<R>>;
export type Client = { readonly [N in RouteName]: Method<Routes[N]> };

/** The error that an operation returned; status 0 and the code `unreachable` if there was no response. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly problem: Problem;
  readonly retryAfterMs: number | null;

  constructor(problem: Problem, options: { retryAfterMs?: number | null; cause?: unknown } = {}) {
    super(problem.detail, { cause: options.cause });
    this.name = 'ApiError';
    this.status = problem.status;
    this.code = problem.code;
    this.problem = problem;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

const TIMEOUT_MS = 30_000;
const LONGEST_ASKED_MS = 30_000;

/** One method per operation, typed by its contract; throws ApiError. */
export const createClient = (options: ClientOptions): Client => {
  const call =
    (route: Route) =>
    (input: Parts = {}, each: CallOptions = {}) =>
      send(options, route, input, each);
  return Object.fromEntries(Object.entries(ROUTES).map(([name, route]) => [name, call(route)])) as unknown as Client;
};

/** Whether the same call may succeed when it is repeated: no response, too many calls, or a fault of the server. */
export const isTransient = (error: unknown): error is ApiError =>
  error instanceof ApiError &&
  (error.status === 0 || error.status === 408 || error.status === 429 || error.status >= 500 || error.code === 'invalid_answer');

/** Repeats a call with one Idempotency-Key while it fails with a transient error; throws the last error. */
export const repeatCall = async <T>(
  call: (options: { idempotencyKey: string }) => Promise<T>,
  { tries = 4, baseMs = 250, maxMs = 5_000 }: { tries?: number; baseMs?: number; maxMs?: number } = {},
): Promise<T> => {
  const idempotencyKey = crypto.randomUUID();
  for (let done = 1; ; done++) {
    try {
      return await call({ idempotencyKey });
    } catch (error) {
      if (done >= tries || !isTransient(error)) throw error;
      const wait = backoffMs(done, { baseMs, maxMs }, Math.min(error.retryAfterMs ?? 0, LONGEST_ASKED_MS));
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
};

type Parts = { params?: Record<string, unknown>; query?: Record<string, unknown>; body?: unknown };

const addressOf = (base: string, route: Route, { params = {}, query = {} }: Parts): string => {
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `${base.replace(/\/+$/, '')}${path}${search && `?${search}`}`;
};

const headersOf = (options: ClientOptions, route: Route, input: Parts, each: CallOptions): Record<string, string> => {
  const token = typeof options.token === 'function' ? options.token() : options.token;
  const headers: Record<string, string> = { accept: 'application/json, application/problem+json' };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (input.body !== undefined) headers['content-type'] = 'application/json';
  if (each.ifMatch !== undefined) headers['if-match'] = typeof each.ifMatch === 'number' ? `"${each.ifMatch}"` : each.ifMatch;
  if (route.idempotent) headers['idempotency-key'] = each.idempotencyKey ?? crypto.randomUUID();
  return headers;
};

const problem = (code: string, status: number, detail: string): Problem => ({
  type: `urn:multi-agent-on-the-web:error:${code}`,
  title: detail,
  status,
  detail,
  code,
  errors: [],
  request_id: '',
});

const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code, message } = cause as { code?: string; message?: string };
  return code ?? message ?? String(cause);
};

const exchange = async (options: ClientOptions, url: string, init: RequestInit, outer: AbortSignal | undefined) => {
  const ask = async (signal: AbortSignal) => {
    const response = await (options.fetch ?? fetch)(url, { ...init, signal, redirect: 'manual' });
    return { response, text: await response.text() };
  };
  try {
    return await withTimeout(options.timeoutMs ?? TIMEOUT_MS, ask, { signal: outer });
  } catch (cause) {
    if (outer?.aborted) throw outer.reason;
    throw new ApiError(problem('unreachable', 0, `${options.url} does not answer: ${reasonOf(cause)}`), { cause });
  }
};

const send = async (options: ClientOptions, route: Route, input: Parts, each: CallOptions): Promise<unknown> => {
  const init: RequestInit = { method: route.method, headers: headersOf(options, route, input, each) };
  if (input.body !== undefined) init.body = JSON.stringify(input.body);
  const { response, text } = await exchange(options, addressOf(options.url, route, input), init, each.signal);
  if (!response.ok) throw refusal(response, text);
  return outputOf(route, response.status, text);
};

const outputOf = (route: Route, status: number, text: string): unknown => {
  const value = route.contentType ? text : parseJson(text);
  const parsed = route.output.safeParse(value);
  if (parsed.success) return parsed.data;
  const detail = `The response to ${route.name} does not match its contract; check that the URL is that of a platform in a compatible version`;
  throw new ApiError(problem('invalid_answer', status, detail), { cause: parsed.error });
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const refusal = (response: Response, text: string): ApiError => {
  const { status, headers } = response;
  const parsed = Problem.safeParse(parseJson(text));
  const retryAfterMs = retryAfter(headers.get('retry-after'));
  if (parsed.success) return new ApiError({ ...parsed.data, status }, { retryAfterMs });
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400))
    return new ApiError(
      problem('redirected', status, `The server redirects to ${headers.get('location') ?? 'another address'}; use that address`),
    );
  return new ApiError(problem(`http_${status}`, status, `The server returned ${status} ${response.statusText}`.trim()), { retryAfterMs });
};

const retryAfter = (value: string | null): number | null => {
  if (value === null) return null;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
};
