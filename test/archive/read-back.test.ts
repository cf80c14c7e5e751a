import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createDicomWebClient } from '../../src/archive/dicomweb.ts';
import type { ArchiveClient, InstanceRef } from '../../src/archive/port.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { httpServer, rawServer } from './fault-server.ts';
import { keepOpened } from './opened.ts';

const never = new AbortController().signal;
const { using, clientOf } = keepOpened();

const made = ctSlice({ rows: 256, columns: 256, seed: 2 });
const file = Buffer.concat([part10Header(made), made.dataSet]);
const instancePath = `/dicom-web/studies/${made.StudyInstanceUID}/series/${made.SeriesInstanceUID}/instances`;

/** An archive that answers as told and notes the paths it was asked for. */
async function archiveThat(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ client: ArchiveClient; paths: string[] }> {
  const paths: string[] = [];
  const server = await httpServer((request, response) => {
    paths.push(request.url ?? '');
    handler(request, response);
  });
  return { client: clientOf(using(server).url), paths };
}

const match = {
  '00080018': { vr: 'UI', Value: [made.SOPInstanceUID] },
  '0020000D': { vr: 'UI', Value: [made.StudyInstanceUID] },
  '0020000E': { vr: 'UI', Value: [made.SeriesInstanceUID] },
};

function looks(client: ArchiveClient, ref: InstanceRef = made): Promise<{ kind: string }[]> {
  return Promise.all([client.find(ref, never), client.metadata(ref, never), client.retrieve(ref, never)]);
}

describe('a look at the archive', () => {
  const failures: readonly (readonly [number, string])[] = [
    [401, 'refused'],
    [403, 'refused'],
    [400, 'unsupported'],
    [405, 'unsupported'],
    [406, 'unsupported'],
    [501, 'unsupported'],
    [302, 'unsupported'],
    [408, 'unavailable'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ];
  for (const [status, why] of failures) {
    test(`is ${why} with ${status}`, async () => {
      const { client } = await archiveThat((_request, response) => {
        response.writeHead(status, { 'retry-after': '3', location: 'http://127.0.0.1:9/' }).end('why');
      });
      const failed = { kind: 'failed', why, code: `HTTP_${status}`, retryAfterMs: 3000 };
      expect(await looks(client)).toEqual([failed, failed, failed]);
    });
  }

  test('is unavailable where the line breaks, at once or half-way', async () => {
    const server = await rawServer((socket) => {
      socket.once('data', () => {
        socket.end(
          'HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 500\r\n\r\n[{',
        );
      });
    });
    const client = clientOf(server.url);
    const halfWay = await looks(client);
    expect(halfWay).toMatchObject([{ why: 'unavailable' }, { why: 'unavailable' }, { why: 'unavailable' }]);
    await server.stop();
    const failed = { kind: 'failed', why: 'unavailable', code: 'ECONNREFUSED', retryAfterMs: null };
    expect(await looks(client)).toEqual([failed, failed, failed]);
  });

  test('is unsupported where the answer is no DICOM', async () => {
    const { client } = await archiveThat((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>sign in</html>');
    });
    expect(await client.find(made, never)).toMatchObject({ why: 'unsupported', code: 'ANSWER_UNREADABLE' });
    expect(await client.metadata(made, never)).toMatchObject({
      why: 'unsupported',
      code: 'ANSWER_UNREADABLE',
    });
    expect(await client.retrieve(made, never)).toMatchObject({ kind: 'failed', why: 'unavailable' });
  });

  test('takes 404 for "absent" only where the service itself is there', async () => {
    const none = await archiveThat((_request, response) => response.writeHead(404).end());
    const unsupported = { kind: 'failed', why: 'unsupported', code: 'HTTP_404', retryAfterMs: null };
    expect(await looks(none.client)).toEqual([unsupported, unsupported, unsupported]);
    const some = await archiveThat((request, response) => {
      response.writeHead(request.url?.endsWith('/studies?limit=1') === true ? 200 : 404).end('[]');
    });
    expect(await some.client.find(made, never)).toEqual({ kind: 'absent' });
    expect(await looks(some.client)).toEqual([{ kind: 'absent' }, { kind: 'absent' }, { kind: 'absent' }]);
    expect(some.paths.filter((path) => path.includes('limit'))).toHaveLength(1);
  });
});

describe('QIDO-RS', () => {
  test('asks as far down the hierarchy as the place is known', async () => {
    const { client, paths } = await archiveThat((_request, response) => response.writeHead(204).end());
    await client.find(made, never);
    await client.find({ ...made, SeriesInstanceUID: null }, never);
    await client.find({ ...made, StudyInstanceUID: null, SeriesInstanceUID: null }, never);
    const query = `?SOPInstanceUID=${made.SOPInstanceUID}`;
    expect(paths).toEqual([
      `${instancePath}${query}`,
      `/dicom-web/studies/${made.StudyInstanceUID}/instances${query}`,
      `/dicom-web/instances${query}`,
    ]);
  });

  test('believes no match that is another instance', async () => {
    const other = { ...match, '00080018': { vr: 'UI', Value: ['1.2.3.4'] } };
    const { client } = await archiveThat((_request, response) => response.end(JSON.stringify([other])));
    expect(await client.find(made, never)).toEqual({ kind: 'absent' });
  });
});

describe('WADO-RS metadata', () => {
  test('reads what is there and leaves out what is not', async () => {
    const document = {
      ...match,
      '00080016': { vr: 'UI', Value: [made.SOPClassUID] },
      '00083002': { vr: 'UI', Value: ['1.2.840.10008.1.2.1'] },
      '00280008': { vr: 'IS', Value: ['12'] },
      '00280010': { vr: 'US', Value: [256] },
      '00280011': { vr: 'US' },
      '00280100': { vr: 'US', Value: [null] },
      '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Not^Read' }] },
    };
    const { client, paths } = await archiveThat((_request, response) =>
      response.end(JSON.stringify([document])),
    );
    expect(await client.metadata(made, never)).toEqual({
      kind: 'present',
      facts: {
        SOPClassUID: made.SOPClassUID,
        SOPInstanceUID: made.SOPInstanceUID,
        StudyInstanceUID: made.StudyInstanceUID,
        SeriesInstanceUID: made.SeriesInstanceUID,
        TransferSyntaxUID: '1.2.840.10008.1.2.1',
        image: { NumberOfFrames: 12, Rows: 256 },
      },
    });
    expect(paths).toEqual([`${instancePath}/${made.SOPInstanceUID}/metadata`]);
  });

  test('gives up where the archive will not say which series it is in', async () => {
    const { client } = await archiveThat((_request, response) => {
      response.end(JSON.stringify([{ ...match, '0020000E': { vr: 'UI', Value: ['../escape'] } }]));
    });
    expect(await client.metadata({ ...made, SeriesInstanceUID: null }, never)).toMatchObject({
      why: 'unsupported',
      code: 'NO_STUDY_OR_SERIES',
    });
  });
});

test('metadata is asked for compressed, images as they are', async () => {
  const asked: (string | undefined)[] = [];
  const { client } = await archiveThat((request, response) => {
    asked.push(request.headers['accept-encoding']);
    const document = gzipSync(JSON.stringify([match]));
    response.writeHead(200, { 'content-type': 'application/dicom+json', 'content-encoding': 'gzip' });
    response.end(document);
  });
  expect(await client.metadata(made, never)).toMatchObject({
    kind: 'present',
    facts: { SOPInstanceUID: made.SOPInstanceUID },
  });
  const answer = await client.seriesMetadata?.(made, never);
  expect(answer?.kind === 'present' && [...answer.instances.keys()]).toEqual([made.SOPInstanceUID]);
  await client.retrieve(made, never);
  expect(asked).toEqual(['gzip', 'gzip', 'identity']);
});

test('a compressed answer that grows beyond the limit is not read', async () => {
  const { client } = await archiveThat((_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' });
    response.end(gzipSync(`[${' '.repeat(5_000_000)}]`));
  });
  expect(await client.seriesMetadata?.(made, never)).toMatchObject({ code: 'ANSWER_UNREADABLE' });
});

test('questions in a row share connections, also where the archive keeps them for a second only', async () => {
  const questions = 20;
  const ports = new Set<number | undefined>();
  const { client } = await archiveThat((request, response) => {
    ports.add(request.socket.remotePort);
    response.writeHead(200, { 'keep-alive': 'timeout=1', connection: 'keep-alive' }).end('[]');
  });
  for (let n = 0; n < questions; n += 1) await client.find(made, never);
  expect(ports.size).toBeLessThan(questions);
});

describe('WADO-RS instance', () => {
  const boundary = 'b0undary';
  const head = `--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`;
  const multipart = `multipart/related; type="application/dicom"; boundary="${boundary}"`;

  async function retrieved(type: string, body: Buffer): Promise<Buffer> {
    const { client } = await archiveThat((request, response) => {
      expect(request.headers.accept).toBe('multipart/related; type="application/dicom"; transfer-syntax=*');
      response.writeHead(200, { 'content-type': type }).end(body);
    });
    const answer = await client.retrieve(made, never);
    if (answer.kind !== 'present') throw new Error(JSON.stringify(answer));
    const chunks: Buffer[] = [];
    for await (const chunk of answer.dataSet()) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  test('yields the data set of a multipart answer and of a plain one', async () => {
    const body = Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n--${boundary}--`)]);
    expect((await retrieved(multipart, body)).equals(made.dataSet)).toBe(true);
    expect((await retrieved('application/dicom', file)).equals(made.dataSet)).toBe(true);
  });

  test('never passes a broken answer for a whole one', async () => {
    const second = Buffer.from(`\r\n${head}more\r\n--${boundary}--`);
    const cut = Buffer.concat([Buffer.from(head), file]);
    await expect(retrieved(multipart, cut)).rejects.toMatchObject({ code: 'MULTIPART_INVALID' });
    await expect(retrieved(multipart, Buffer.concat([cut, second]))).rejects.toMatchObject({
      code: 'RETRIEVE_FAILED',
    });
    await expect(retrieved(multipart, Buffer.from(`--${boundary}--`))).rejects.toThrow('RETRIEVE_FAILED');
  });

  test('fails where the archive breaks off half-way, and where it is aborted', async () => {
    const { client } = await archiveThat((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/dicom', 'content-length': file.length });
      response.write(file.subarray(0, 70_000), () => response.destroy());
    });
    const answer = await client.retrieve(made, never);
    if (answer.kind !== 'present') throw new Error(JSON.stringify(answer));
    expect(answer.TransferSyntaxUID).toBe(made.TransferSyntaxUID);
    await expect(drain(answer.dataSet())).rejects.toMatchObject({
      code: 'RETRIEVE_FAILED',
      kind: 'transient',
    });

    const abort = new AbortController();
    const silent = await archiveThat((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/dicom' });
      response.write(file.subarray(0, 70_000));
    });
    const started = await silent.client.retrieve(made, abort.signal);
    if (started.kind !== 'present') throw new Error(JSON.stringify(started));
    const drained = drain(started.dataSet());
    abort.abort();
    await expect(drained).rejects.toMatchObject({ code: 'RETRIEVE_FAILED' });
  });
});

async function drain(chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of chunks);
}

test('an address that is not that of a studies service is refused at once', () => {
  for (const url of ['https://archive.example/dicom-web', 'ftp://archive.example/studies', 'studies', '']) {
    expect(() => createDicomWebClient({ url })).toThrow(
      expect.objectContaining({ code: 'ARCHIVE_URL_INVALID' }),
    );
  }
  const client = createDicomWebClient({ url: 'https://archive.example/dicom-web/studies/' });
  expect(client.line()).toEqual({ tlsDaysLeft: null, bytesSent: 0, answeredAt: null, clockOffsetMs: null });
});
