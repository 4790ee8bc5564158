import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that systems hand out by themselves, so that nobody gets it in the moment before it is listened on. */
const LOWEST = 15_000;
const COUNT = 17_000;

/**
 * Takes the number away from others who pick one, until this process ends: nobody may listen on the port yet, nor while what
 * listens there is started again. The port of UDP stands for it, on which nothing comes.
 */
const reserve = async (port: number) => {
  const socket = createSocket('udp4').unref();
  socket.bind({ port, address: '127.0.0.1', exclusive: true });
  await once(socket, 'listening');
};

/** A port of loopback that nobody listens on now, and that no other process of this project gets. */
export const freePort = async (): Promise<number> => {
  for (let left = 100; ; left--) {
    const port = LOWEST + Math.floor(Math.random() * COUNT);
    const server = createServer();
    try {
      await reserve(port);
      await once(server.listen(port, '127.0.0.1'), 'listening');
    } catch (error) {
      if (left === 0) throw error;
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
};
