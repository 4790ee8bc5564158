import { LIVE_LIMITS } from '../../schema/live.ts';

/** Those of API Gateway and of Lambda behind it, but for the last three. */
export const SOCKET_LIMITS = {
  messageBytes: LIVE_LIMITS.message_bytes,
  frameBytes: LIVE_LIMITS.frame_bytes,
  idleMs: LIVE_LIMITS.silence_seconds * 1_000,
  lifeMs: LIVE_LIMITS.life_seconds * 1_000,
  timeoutMs: 29_000,
  /** What is posted to a connection and not yet taken by the network. API Gateway keeps its own bound to itself. */
  bufferBytes: 1_048_576,
  /** Messages of a connection that are handled at a time; more are not read until one is done. */
  concurrency: 64,
  closeMs: 2_000,
};
export type SocketLimits = Record<keyof typeof SOCKET_LIMITS, number>;
