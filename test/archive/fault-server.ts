import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { part10Header } from '../../src/dicom/part10.ts';
import type { StoreItem } from '../../src/archive/port.ts';
import { ctSlice, type MadeInstance } from '../fixtures/dicom-objects.ts';

/** A server on 127.0.0.1 that misbehaves as a test wants it. */
export interface FaultServer {
  /** For `url` of a destination. */
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Speaks HTTP, or HTTPS where TLS options are given. */
export async function httpServer(handler: Handler, tls?: ServerOptions): Promise<FaultServer> {
  // A request that breaks off under a handler is the test's own doing.
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    void (async () => handler(request, response))().catch(() => response.destroy());
  };
  const server: Server = tls === undefined ? createHttpServer(serve) : createHttpsServer(tls, serve);
  const port = await listening(server);
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/dicom-web/studies`,
    port,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Speaks whatever the handler writes to the socket. */
export async function rawServer(handler: (socket: Socket) => void): Promise<FaultServer> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    handler(socket);
  });
  const port = await listening(server);
  return {
    url: `http://127.0.0.1:${port}/studies`,
    port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no address');
  return address.port;
}

/** The whole body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function smallItem(): { item: StoreItem; made: MadeInstance } {
  const made = ctSlice({ rows: 16, columns: 16, seed: 1 });
  return { item: itemOfBytes(made, Buffer.concat([part10Header(made), made.dataSet])), made };
}

/** An item that never fits into the socket buffers of a line nobody reads from; made as it is sent. */
export function hugeItem(bytes = 256 * 1024 * 1024): StoreItem {
  const { made } = smallItem();
  const piece = Buffer.alloc(64 * 1024, 7);
  return {
    ...itemOfBytes(made, Buffer.alloc(0)),
    bytes,
    content: async function* () {
      for (let left = bytes; left > 0; left -= piece.length)
        yield piece.subarray(0, Math.min(left, piece.length));
    },
  };
}

export function itemOfBytes(made: MadeInstance, bytes: Buffer): StoreItem {
  return {
    SOPClassUID: made.SOPClassUID,
    TransferSyntaxUID: made.TransferSyntaxUID,
    StudyInstanceUID: made.StudyInstanceUID,
    SeriesInstanceUID: made.SeriesInstanceUID,
    SOPInstanceUID: made.SOPInstanceUID,
    bytes: bytes.length,
    content: async function* () {
      yield bytes;
    },
  };
}

/** A STOW-RS answer that references the given instances. */
export function referencing(...uids: readonly string[]): string {
  return JSON.stringify({
    '00081199': {
      vr: 'SQ',
      Value: uids.map((uid) => ({ '00081155': { vr: 'UI', Value: [uid] } })),
    },
  });
}
