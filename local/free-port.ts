import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that systems hand out by themselves, so that nobody gets it in the moment before it is listened on. */
const LOWEST = 15_000;
const COUNT = 17_000;

/** A port of loopback that nobody listens on now. */
export const freePort = async (): Promise<number> => {
  for (let left = 100; ; left--) {
    const port = LOWEST + Math.floor(Math.random() * COUNT);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (left === 0) throw error;
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
};
