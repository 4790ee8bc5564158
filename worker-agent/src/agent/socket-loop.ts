import { keepSocket, type SocketClocks } from '../../../schema/client/live-socket.ts';
import type { WorkerApi } from '../api/worker-api.ts';

export type SocketLoopOptions = {
  api: Pick<WorkerApi, 'ticket'>;
  workerId: string;
  WebSocket?: typeof WebSocket | null | undefined;
  clocks?: Partial<SocketClocks>;
  onLive(isLive: boolean): void;
  /** Something may be ready. */
  onDoorbell(): void;
  /** A subtask may have been cancelled; a heartbeat tells for sure. */
  onCancel(subtaskId: string): void;
  /** There is no push just now: it is tried again, and everything else goes on by asking. */
  onError(error: unknown): void;
};

/** Listens to what the server has to tell this worker, as far as it can push. */
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
