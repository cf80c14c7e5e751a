import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/**
 * What a line carries at most: parallel TCP flows of plain bytes, each confirmed by one byte at its end.
 *
 *     node test/bench/wan-bulk.ts sink PORT                prints {"ready":true} once it listens
 *     node test/bench/wan-bulk.ts send HOST PORT BYTES FLOWS   prints {"seconds":…}
 */

const pieceBytes = 64 * 1024;

async function sink(port: number): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.on('end', () => socket.end('.'));
    socket.resume();
  });
  server.listen(port);
  await once(server, 'listening');
  process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
}

async function sendFlow(host: string, port: number, bytes: number): Promise<void> {
  const socket = connect({ host, port });
  await once(socket, 'connect');
  const piece = Buffer.alloc(pieceBytes, 0x5a);
  for (let left = bytes; left > 0; left -= pieceBytes) {
    if (!socket.write(piece.subarray(0, left))) await once(socket, 'drain');
  }
  socket.end();
  await confirmed(socket);
}

async function confirmed(socket: Socket): Promise<void> {
  const [answer] = (await once(socket, 'data')) as [Buffer];
  if (answer.length === 0) throw new Error('the flow was not confirmed');
}

const [what, ...args] = process.argv.slice(2);
if (what === 'sink') {
  await sink(Number(args[0]));
} else {
  const [host = '', port, bytes, flows] = args;
  const count = Number(flows);
  const start = performance.now();
  await Promise.all(
    Array.from({ length: count }, () => sendFlow(host, Number(port), Math.ceil(Number(bytes) / count))),
  );
  process.stdout.write(`${JSON.stringify({ seconds: (performance.now() - start) / 1000 })}\n`);
}
