import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as ask, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { multipartBoundary, multipartParts } from '../../src/dicom/multipart.ts';
import { splitPart10 } from '../../src/dicom/part10.ts';

/** A line to an archive that passes everything on and remembers in which bytes each instance went over it. */
export interface PassingLine extends AsyncDisposable {
  /** For `url` of a destination. */
  readonly url: string;
  /** By SOP Instance UID: transfer syntax and SHA-256 of every data set that went over whole. */
  readonly sent: ReadonlyMap<string, ReadonlySet<string>>;
  /** Whole data sets in all, each attempt counted. */
  readonly attempts: number;
}

/** What becomes of a store request: it is answered, or it is lost as a whole, or its answer is. */
export type Passage = 'answered' | 'lost' | 'answer lost';

export async function passingLine(archiveUrl: () => string, fate: () => Passage): Promise<PassingLine> {
  const sent = new Map<string, Set<string>>();
  let attempts = 0;
  const remember = (uid: string, form: string): void => {
    attempts += 1;
    const forms = sent.get(uid);
    if (forms === undefined) sent.set(uid, new Set([form]));
    else forms.add(form);
  };
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    const passage = request.method === 'POST' ? fate() : 'answered';
    pass(request, response, { archiveUrl: archiveUrl(), passage, remember }).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/dicom-web/studies`,
    sent,
    get attempts() {
      return attempts;
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

interface Passing {
  readonly archiveUrl: string;
  readonly passage: Passage;
  readonly remember: (uid: string, form: string) => void;
}

async function pass(request: IncomingMessage, response: ServerResponse, passing: Passing): Promise<void> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } finally {
    // Of a request that breaks off, what came whole counts too.
    if (request.method === 'POST') await read(request, chunks, passing.remember);
  }
  if (passing.passage === 'lost') {
    response.destroy();
    return;
  }
  const { host: _, ...headers } = request.headers;
  const url = new URL(request.url ?? '', passing.archiveUrl);
  const onward = ask(url, { method: request.method ?? 'GET', headers });
  onward.end(Buffer.concat(chunks));
  const [answer] = (await once(onward, 'response')) as [IncomingMessage];
  if (passing.passage === 'answer lost') {
    answer.resume();
    await once(answer, 'end');
    response.destroy();
    return;
  }
  response.writeHead(answer.statusCode ?? 502, answer.headers);
  answer.pipe(response);
}

async function read(
  request: IncomingMessage,
  chunks: readonly Buffer[],
  remember: Passing['remember'],
): Promise<void> {
  const boundary = multipartBoundary(request.headers['content-type'] ?? '') ?? '';
  async function* body(): AsyncGenerator<Buffer> {
    yield* chunks;
  }
  try {
    for await (const { content } of multipartParts(body(), boundary)) {
      const { SOPInstanceUID, TransferSyntaxUID, dataSet } = await splitPart10(content);
      const hash = createHash('sha256');
      for await (const bytes of dataSet) hash.update(bytes);
      remember(SOPInstanceUID ?? '', `${TransferSyntaxUID} ${hash.digest('hex')}`);
    }
  } catch {
    // Cut short.
  }
}
