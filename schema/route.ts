import type * as z from 'zod';
import type { ErrorCode } from './errors.ts';

export const SCOPES = ['tasks:read', 'tasks:write', 'workers:read', 'workers:write', 'keys:write'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who may call: anyone, the holder of an enrolment token, an enrolled worker, or a caller whose API key has the scope. */
export type Access = 'anyone' | 'enrolment' | 'worker' | Scope;
export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
type Shape = z.ZodType<Record<string, unknown>>;

/** The only description of an operation: handlers, client, OpenAPI and API Gateway routes are derived from it. */
export type Route = {
  readonly name: string;
  readonly method: Method;
  readonly path: `/${string}`;
  readonly access: Access;
  readonly tag: 'system' | 'tasks' | 'subtasks' | 'workers' | 'artifacts' | 'live' | 'keys';
  readonly summary: string;
  readonly params?: Shape;
  readonly query?: Shape;
  readonly body?: Shape;
  /** The body may be omitted; it is then read as `{}`. */
  readonly optionalBody?: boolean;
  readonly output: z.ZodType;
  readonly status: 200 | 201;
  /** The error codes in addition to those that every operation can return. */
  readonly errors: readonly ErrorCode[];
  /** Accepts an Idempotency-Key: a request repeated with the same key returns the same response and has no second effect. */
  readonly idempotent?: boolean;
  /** Has no lasting effect, so it needs no Idempotency-Key. */
  readonly fleeting?: boolean;
  /** The response contains a secret, so it is encrypted when it is stored for its Idempotency-Key. */
  readonly secret?: boolean;
  /** Returns an ETag and honours If-None-Match. */
  readonly etag?: boolean;
  readonly contentType?: 'text/html';
};

export const route = <const R extends Route>(definition: R): R => definition;

/** The Lambda that serves a route. */
export const apiOf = (it: Route): 'person-api' | 'worker-api' =>
  it.access === 'worker' || it.access === 'enrolment' ? 'worker-api' : 'person-api';

export const isCaller = (access: Access): access is Scope => (SCOPES as readonly string[]).includes(access);

type Part<R extends Route, K extends 'params' | 'query' | 'body'> = R[K] extends z.ZodType ? R[K] : never;
type Field<K extends string, T> = [T] extends [never] ? unknown : Record<string, never> extends T ? { [P in K]?: T } : { [P in K]: T };

/** What a client passes to call a route. */
export type Input<R extends Route> = Field<'params', z.input<Part<R, 'params'>>> &
  Field<'query', z.input<Part<R, 'query'>>> &
  Field<'body', z.input<Part<R, 'body'>>>;
export type Output<R extends Route> = z.output<R['output']>;
export type Params<R extends Route> = z.output<Part<R, 'params'>>;
export type Query<R extends Route> = z.output<Part<R, 'query'>>;
export type Body<R extends Route> = z.output<Part<R, 'body'>>;
