import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDicomWebClient } from '../../src/archive/dicomweb.ts';
import { silentLog } from '../../src/base/log.ts';
import { SandboxArchive } from '../../src/demo/sandbox-archive.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import { itemOf } from '../contract/archive.ts';
import {
  ctSlice,
  element,
  encodeDataSet,
  type MadeInstance,
  newUid,
  usMultiframe,
} from '../fixtures/dicom-objects.ts';

const never = new AbortController().signal;
let dataDir: string;
let archive: SandboxArchive;
let url: string;

async function start(bearerToken: string | null = null): Promise<void> {
  archive = new SandboxArchive({ dataDir, host: '127.0.0.1', port: 0, log: silentLog, bearerToken });
  ({ url } = await archive.start());
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'gantry-sandbox-'));
  await start();
});
afterEach(async () => {
  await archive.stop();
  await rm(dataDir, { recursive: true });
});

function body(...files: readonly Buffer[]): Buffer {
  const parts = files.flatMap((file) => [
    Buffer.from('--b\r\nContent-Type: application/dicom\r\n\r\n'),
    file,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...parts, Buffer.from('--b--\r\n')]);
}

function fileOf(made: MadeInstance): Buffer {
  return Buffer.concat([part10Header(made), made.dataSet]);
}

async function post(
  bytes: Buffer,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'multipart/related; type="application/dicom"; boundary=b', ...headers },
    body: new Uint8Array(bytes),
  });
  return { status: answer.status, text: await answer.text() };
}

async function kept(): Promise<string[]> {
  return [...(await readdir(join(dataDir, 'instances'))), ...(await readdir(join(dataDir, 'incoming')))];
}

describe('a store request', () => {
  const one = ctSlice({ rows: 8, columns: 8, seed: 1 });
  const two = ctSlice({ rows: 8, columns: 8, seed: 2 });
  const otherBytes = ctSlice({
    rows: 8,
    columns: 8,
    seed: 3,
    instanceUID: one.SOPInstanceUID,
    studyUID: one.StudyInstanceUID,
    seriesUID: one.SeriesInstanceUID,
  });
  const noStudy = {
    ...one,
    dataSet: encodeDataSet([element(0x0008_0018, 'UI', one.SOPInstanceUID)], 'explicit-le'),
  };

  test('is answered by PS3.18: 200 all, 202 some, 409 none', async () => {
    expect((await post(body(fileOf(one), fileOf(two)))).status).toBe(200);
    expect((await post(body(fileOf(one), fileOf(otherBytes)))).status).toBe(202);
    const conflict = await post(body(fileOf(otherBytes)));
    expect(conflict.status).toBe(409);
    expect(JSON.parse(conflict.text)).toMatchObject({
      '00081198': {
        Value: [{ '00081155': { Value: [one.SOPInstanceUID] }, '00081197': { Value: [0x0111] } }],
      },
    });
    expect(await kept()).toHaveLength(2);
  });

  test('says of each part what was wrong with it', async () => {
    const cut = fileOf(two).subarray(0, -20);
    const { status, text } = await post(body(fileOf(one), cut, Buffer.from('not DICOM'), fileOf(noStudy)));
    expect(status).toBe(202);
    const answer = JSON.parse(text);
    expect(answer['00081199'].Value).toHaveLength(1);
    const refused = { '00081197': { vr: 'US', Value: [0xc000] } };
    expect(answer['00081198'].Value).toMatchObject([refused, refused]);
    expect(answer['0008119A'].Value).toEqual([refused]);
    expect(await kept()).toHaveLength(1);
  });

  test('is answered in XML where only that is asked for', async () => {
    const { status, text } = await post(body(fileOf(one), Buffer.from('no')), {
      accept: 'application/dicom+xml',
    });
    expect(status).toBe(202);
    expect(text).toContain(
      `<DicomAttribute tag="00081155" vr="UI"><Value number="1">${one.SOPInstanceUID}</Value>`,
    );
    expect(text).toContain('<DicomAttribute tag="00081197" vr="US"><Value number="1">49152</Value>');
  });

  test('that is malformed or of another kind leaves nothing', async () => {
    expect((await post(body(fileOf(one)).subarray(0, -9))).status).toBe(400);
    expect((await post(body())).status).toBe(400);
    expect((await post(Buffer.from('x'), { 'content-type': 'text/plain' })).status).toBe(415);
    const json = 'multipart/related; type="application/dicom+json"; boundary=b';
    expect((await post(body(fileOf(one)), { 'content-type': json })).status).toBe(415);
    expect(await kept()).toEqual([]);
  });

  test('that is cut off by a reset leaves nothing, not even its complete parts', async () => {
    const bytes = body(fileOf(one), fileOf(two));
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `POST ${new URL(url).pathname} HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/related; boundary=b\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    );
    socket.write(bytes.subarray(0, -100));
    while ((await readdir(join(dataDir, 'incoming'))).length < 2) await new Promise(setImmediate);
    socket.resetAndDestroy();
    while ((await readdir(join(dataDir, 'incoming'))).length > 0) await new Promise(setImmediate);
    expect(await kept()).toEqual([]);
  });

  test('of the same instance at the same time is stored once', async () => {
    const results = await Promise.all(Array.from({ length: 8 }, () => post(body(fileOf(one)))));
    expect(results.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    const rivals = await Promise.all([post(body(fileOf(one))), post(body(fileOf(otherBytes)))]);
    expect(rivals.map(({ status }) => status)).toEqual([200, 409]);
    expect(await kept()).toHaveLength(1);
  });
});

describe('what is stored', () => {
  test('is there after a restart, and only that', async () => {
    const image = usMultiframe({ rows: 20, columns: 30, frames: 4, seed: 1 });
    await post(body(fileOf(image)));
    await archive.stop();
    const incoming = join(dataDir, 'incoming', 'left-over');
    await (await import('node:fs/promises')).writeFile(incoming, 'half');
    await start();
    await expect(stat(incoming)).rejects.toMatchObject({ code: 'ENOENT' });
    const client = createDicomWebClient({ url });
    expect(await client.metadata(image, never)).toMatchObject({
      kind: 'present',
      facts: {
        TransferSyntaxUID: image.TransferSyntaxUID,
        image: { Rows: 20, Columns: 30, BitsAllocated: 8, NumberOfFrames: 4 },
      },
    });
    expect(await client.store([itemOf(image)], never)).toMatchObject({ status: 200 });
    await client.close();
  });

  test('is found by study, series and instance', async () => {
    const studyUID = newUid();
    const seriesUID = newUid();
    const slices = [1, 2, 3].map((seed) => ctSlice({ rows: 8, columns: 8, seed, studyUID, seriesUID }));
    const other = ctSlice({ rows: 8, columns: 8, seed: 4, studyUID });
    await post(body(...[...slices, other].map(fileOf)));
    const root = url.slice(0, -'/studies'.length);
    const ask = async (path: string): Promise<number> => {
      const answer = await fetch(root + path);
      return answer.status === 200 ? ((await answer.json()) as unknown[]).length : -answer.status;
    };
    expect(await ask('/studies')).toBe(1);
    expect(await ask(`/studies?StudyInstanceUID=${studyUID}`)).toBe(1);
    expect(await ask(`/studies/${studyUID}/series`)).toBe(2);
    expect(await ask(`/studies/${studyUID}/instances`)).toBe(4);
    expect(await ask(`/studies/${studyUID}/series/${seriesUID}/instances`)).toBe(3);
    expect(await ask(`/studies/${studyUID}/instances?limit=2&offset=3`)).toBe(1);
    expect(await ask(`/instances?SOPInstanceUID=${other.SOPInstanceUID}`)).toBe(1);
    expect(
      await ask(`/studies/${studyUID}/series/${seriesUID}/instances?SOPInstanceUID=${other.SOPInstanceUID}`),
    ).toBe(-204);
    expect(await ask('/studies?StudyInstanceUID=1.2.3')).toBe(-204);
  });

  test('is not given in another transfer syntax', async () => {
    const made = ctSlice({ rows: 8, columns: 8, seed: 1 });
    await post(body(fileOf(made)));
    const path = `${url}/${made.StudyInstanceUID}/series/${made.SeriesInstanceUID}/instances/${made.SOPInstanceUID}`;
    const ask = (accept: string): Promise<Response> => fetch(path, { headers: { accept } });
    expect((await ask('application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90')).status).toBe(406);
    const single = await ask('application/dicom; transfer-syntax=*');
    expect(Buffer.from(await single.arrayBuffer()).equals(fileOf(made))).toBe(true);
  });
});

test('a token may be asked for', async () => {
  await archive.stop();
  await start('secret');
  const made = ctSlice({ rows: 8, columns: 8, seed: 1 });
  expect((await post(body(fileOf(made)))).status).toBe(401);
  expect((await post(body(fileOf(made)), { authorization: 'Bearer wrong' })).status).toBe(401);
  expect((await post(body(fileOf(made)), { authorization: 'Bearer secret' })).status).toBe(200);
  expect((await fetch(url)).status).toBe(401);
});
