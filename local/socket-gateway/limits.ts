import { LIVE_LIMITS } from '../../schema/live.ts';

/** The limits of API Gateway and of Lambda behind it, except for the last three. */
export const SOCKET_LIMITS = {
  messageBytes: LIVE_LIMITS.message_bytes,
  frameBytes: LIVE_LIMITS.frame_bytes,
  idleMs: LIVE_LIMITS.silence_seconds * 1_000,
  lifeMs: LIVE_LIMITS.life_seconds * 1_000,
  timeoutMs: 29_000,
  /** Bytes sent to a connection that the network has not taken yet. API Gateway does not publish its own limit. */
  bufferBytes: 1_048_576,
  /** Messages of a connection that are handled concurrently; further ones are not read until one is finished. */
  concurrency: 64,
  closeMs: 2_000,
};
export type SocketLimits = Record<keyof typeof SOCKET_LIMITS, number>;
