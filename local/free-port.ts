import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the range of ephemeral ports, so that the system gives the port to nobody before it is in use. */
const LOWEST = 15_000;
const COUNT = 17_000;

/**
 * Reserves the number among processes of this project until this process ends, also while the program that listens on the port is
 * restarted. An open UDP port of the same number, which receives nothing, serves as the reservation.
 */
const reserve = async (port: number) => {
  const socket = createSocket('udp4').unref();
  socket.bind({ port, address: '127.0.0.1', exclusive: true });
  await once(socket, 'listening');
};

/** A loopback port on which nobody listens and which no other process of this project has reserved. */
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
