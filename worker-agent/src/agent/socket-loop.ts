import { keepSocket, type SocketClocks } from '../../../schema/client/live-socket.ts';
import type { WorkerApi } from '../api/worker-api.ts';

export type SocketLoopOptions = {
  api: Pick<WorkerApi, 'ticket'>;
  workerId: string;
  WebSocket?: typeof WebSocket | null | undefined;
  clocks?: Partial<SocketClocks>;
  onLive(isLive: boolean): void;
  /** A subtask may be ready. */
  onDoorbell(): void;
  /** A subtask may have been cancelled; only a heartbeat confirms it. */
  onCancel(subtaskId: string): void;
  /** Push is unavailable. The loop connects again; until then the worker polls. */
  onError(error: unknown): void;
};

/** Receives the server's push messages for this worker, when a WebSocket can be opened. */
export class SocketLoop {
  readonly #options: SocketLoopOptions;

  constructor(options: SocketLoopOptions) {
    this.#options = options;
  }

  run(signal: AbortSignal): Promise<void> {
    const { api, workerId, WebSocket, clocks, onLive, onDoorbell, onCancel, onError } = this.#options;
    const topic = `worker:${workerId}` as const;
    return keepSocket({
      ticket: (signal) => api.ticket(signal),
      say: (isLive) => (isLive ? { action: 'ping', topics: [topic] } : { action: 'subscribe', topic }),
      onFrame: (frame) => {
        if (frame.type === 'doorbell') onDoorbell();
        if (frame.type === 'directive') onCancel(frame.subtask_id);
      },
      onLive,
      onRefused: onError,
      signal,
      WebSocket,
      clocks,
    });
  }
}
