// Forwards connections to a port or a Unix socket, with a delay: relay.ts PORT|PATH HOST PORT DELAY_MS
import { connect, createServer, type Socket } from 'node:net';

const [, , place = '', host = '', port = '', delay = '0'] = process.argv;
const delayMs = Number(delay);

const pass = (from: Socket, to: Socket): void => {
  const later = (work: () => void) => setTimeout(work, delayMs);
  from.on('data', (chunk) => later(() => to.write(chunk)));
  from.on('end', () => later(() => to.end()));
  from.on('error', () => to.destroy());
};

const server = createServer({ allowHalfOpen: true }, (client) => {
  const upstream = connect({ host, port: Number(port), allowHalfOpen: true });
  pass(client, upstream);
  pass(upstream, client);
});
if (/^\d+$/.test(place)) server.listen(Number(place), '0.0.0.0');
else server.listen(place);
