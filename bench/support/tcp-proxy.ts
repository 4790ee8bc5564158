import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

type Target = { host: string; port: number };

class TcpProxy {
  readonly #target: Target;
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  readonly #requests = new Map<Socket, string>();
  readonly #silent = new Set<Socket>();
  readonly #mute = new Set<Socket>();
  #port = 0;
  #roundTrips = 0;
  #bytes = 0;
  #dropAnswers = 0;
  #lost = 0;

  constructor(target: Target) {
    this.#target = target;
    this.#server = createServer((client) => this.#connect(client));
  }

  get port(): number {
    return this.#port;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  cut() {
    for (const [client, server] of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  /** Forwards the next `count` requests and cuts the connections instead of returning the responses. */
  loseAnswers(count: number) {
    this.#dropAnswers = count;
  }

  /** The current connections stop forwarding, as when a machine on the way fails; later connections work. */
  silenceAll() {
    for (const [client] of this.#pairs) this.#silent.add(client);
  }

  /** Connections whose last HTTP request starts like this stop forwarding. Returns how many are silent. */
  silence(begin: string): number {
    for (const [client, request] of this.#requests) if (request.startsWith(begin)) this.#silent.add(client);
    return this.#silent.size;
  }

  /** The same, but data from the server is still forwarded. */
  mute(begin: string) {
    for (const [client, request] of this.#requests) if (request.startsWith(begin)) this.#mute.add(client);
  }

  counted() {
    return { roundTrips: this.#roundTrips, bytes: this.#bytes, lost: this.#lost };
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #connect(client: Socket) {
    const upstream = connect(this.#target.port, this.#target.host);
    const pair: [Socket, Socket] = [client, upstream];
    this.#pairs.add(pair);
    this.#forward(client, upstream);
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#pairs.delete(pair);
        this.#requests.delete(client);
        to.destroy();
      });
    }
  }

  #forward(client: Socket, upstream: Socket) {
    let serverSpoke = true;
    let dropping = false;
    client.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      if (/^[A-Z]+ \//.test(text)) this.#requests.set(client, text);
      if (this.#silent.has(client) || this.#mute.has(client)) return;
      if (serverSpoke) this.#roundTrips++;
      serverSpoke = false;
      this.#bytes += chunk.length;
      if (this.#dropAnswers > 0) {
        this.#dropAnswers--;
        dropping = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (this.#silent.has(client)) return;
      serverSpoke = true;
      this.#bytes += chunk.length;
      if (dropping) {
        this.#lost++;
        client.destroy();
        upstream.destroy();
      } else client.write(chunk);
    });
  }
}

/**
 * A TCP proxy between a client and a server on loopback. Counts round trips (each time the client sends after the server did) and can
 * cut connections: at once, or after the next request has been forwarded, so that its response is lost. It can also keep connections
 * open but silent.
 */
export const startTcpProxy = async (target: Target) => {
  const proxy = new TcpProxy(target);
  await proxy.listen();
  return proxy;
};
