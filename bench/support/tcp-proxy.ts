import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * A TCP proxy between a client and a server on loopback. Counts round trips (each time the client sends after the server did) and can
 * cut connections: at once, or after the next request has been forwarded, so that its response is lost. It can also keep connections
 * open but silent.
 */
export const startTcpProxy = async (target: { host: string; port: number }) => {
  const pairs = new Set<[Socket, Socket]>();
  let roundTrips = 0;
  let bytes = 0;
  let dropAnswers = 0;
  let lost = 0;
  const requests = new Map<Socket, string>();
  const silent = new Set<Socket>();
  const mute = new Set<Socket>();

  const cut = () => {
    for (const [client, server] of pairs) {
      client.destroy();
      server.destroy();
    }
  };
  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    const pair: [Socket, Socket] = [client, upstream];
    let serverSpoke = true;
    let dropping = false;
    pairs.add(pair);
    client.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      if (/^[A-Z]+ \//.test(text)) requests.set(client, text);
      if (silent.has(client) || mute.has(client)) return;
      if (serverSpoke) roundTrips++;
      serverSpoke = false;
      bytes += chunk.length;
      if (dropAnswers > 0) {
        dropAnswers--;
        dropping = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (silent.has(client)) return;
      serverSpoke = true;
      bytes += chunk.length;
      if (dropping) {
        lost++;
        client.destroy();
        upstream.destroy();
      } else client.write(chunk);
    });
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on('error', () => to.destroy());
      from.on('close', () => {
        pairs.delete(pair);
        requests.delete(client);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    /** Forwards the next `count` requests and cuts the connections instead of returning the responses. */
    loseAnswers: (count: number) => {
      dropAnswers = count;
    },
    /** The current connections stop forwarding, as when a machine on the way fails; later connections work. */
    silenceAll: () => {
      for (const [client] of pairs) silent.add(client);
    },
    /** Connections whose last HTTP request starts like this stop forwarding. Returns how many are silent. */
    silence: (begin: string): number => {
      for (const [client, request] of requests) if (request.startsWith(begin)) silent.add(client);
      return silent.size;
    },
    /** The same, but data from the server is still forwarded. */
    mute: (begin: string) => {
      for (const [client, request] of requests) if (request.startsWith(begin)) mute.add(client);
    },
    counted: () => ({ roundTrips, bytes, lost }),
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
};
