import { tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Server } from 'node:net';
import { duplexPair } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Line } from './peer.ts';

/** Connects over the network, from an address of its own for each peer. */
export async function socketLine(port: number, localAddress: string): Promise<Line> {
  const stream = connect({ host: '127.0.0.1', port, localAddress, noDelay: true, allowHalfOpen: true });
  stream.on('error', () => undefined);
  await once(stream, 'connect');
  return { stream, reset: () => stream.resetAndDestroy() };
}

/** The loopback address of a peer: so many peers share one. */
export function peerAddress(peer: number, peersPerAddress: number): string {
  const number = 2 + Math.floor(peer / peersPerAddress);
  return `127.0.${Math.floor(number / 250)}.${1 + (number % 250)}`;
}

/** The server that is made to listen while the work goes on. */
export async function serverOf(work: () => Promise<unknown>): Promise<Server> {
  const channel = tracingChannel('net.server.listen');
  let found: Server | null = null;
  const listener = (message: unknown): void => {
    found ??= (message as { server: Server }).server;
  };
  channel.asyncStart.subscribe(listener);
  await work();
  channel.asyncStart.unsubscribe(listener);
  if (found === null) throw new Error('nothing listens');
  return found;
}

/**
 * Connects without a network: the server gets one end of a pair of streams as though it had accepted it. What
 * crosses it is all that a socket would carry; only RST cannot be told from a close.
 */
export async function memoryLine(server: Server, remoteAddress: string): Promise<Line> {
  // Streams of this kind turn no event loop; without a turn between sessions, timers and the thread pool starve.
  await nextTurn();
  const [stream, accepted] = duplexPair();
  const close = (): void => void accepted.destroy();
  // A socket that hears the end of its peer ends itself (`allowHalfOpen: false`), and is closed with its peer.
  accepted.on('end', () => accepted.end());
  stream.on('close', close);
  accepted.on('close', () => stream.destroy());
  server.emit('connection', Object.assign(accepted, { remoteAddress }));
  return { stream, reset: () => stream.destroy() };
}
