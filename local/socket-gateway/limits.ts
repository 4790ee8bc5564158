/** Those of API Gateway and of Lambda behind it, but for the last three. */
export const SOCKET_LIMITS = {
  messageBytes: 131_072,
  frameBytes: 32_768,
  idleMs: 10 * 60_000,
  lifeMs: 2 * 3_600_000,
  timeoutMs: 29_000,
  /** What is posted to a connection and not yet taken by the network. API Gateway keeps its own bound to itself. */
  bufferBytes: 1_048_576,
  /** Messages of a connection that are handled at a time; more are not read until one is done. */
  concurrency: 64,
  closeMs: 2_000,
};
export type SocketLimits = typeof SOCKET_LIMITS;
