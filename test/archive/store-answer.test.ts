import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { DicomWebOptions } from '../../src/archive/dicomweb.ts';
import type { StoreAnswer } from '../../src/archive/port.ts';
import { bodyOf, httpServer, smallItem } from './fault-server.ts';
import { keepOpened } from './opened.ts';

const never = new AbortController().signal;
const { using, clientOf } = keepOpened();

describe('the answer to a store request', () => {
  async function answerTo(
    status: number,
    headers: Record<string, string>,
    body: string | Buffer,
    options: Partial<DicomWebOptions> = {},
  ): Promise<StoreAnswer> {
    const server = using(
      await httpServer(async (request, response) => {
        await bodyOf(request);
        response.writeHead(status, headers).end(body);
      }),
    );
    return clientOf(server.url, options).store([smallItem().item], never);
  }

  const json = {
    '00081199': {
      vr: 'SQ',
      Value: [
        { '00081155': { vr: 'UI', Value: ['1.2.3'] } },
        { '00081155': { vr: 'UI', Value: ['1.2.4\0'] }, '00081196': { vr: 'US', Value: [0xb000] } },
      ],
    },
    '00081198': {
      vr: 'SQ',
      Value: [
        { '00081155': { vr: 'UI', Value: ['1.2.5'] }, '00081197': { vr: 'US', Value: ['42752'] } },
        { '00081155': { vr: 'UI', Value: ['1.2.6'] } },
        {
          '00081155': { vr: 'UI', Value: ['1.2.7'] },
          '00081197': { vr: 'US', Value: [272] },
          '00090097': { vr: 'LT', Value: ['instance already exists'] },
        },
        { '00081197': { vr: 'US', Value: [0xc000] } },
      ],
    },
  };
  const read = {
    body: 'parsed',
    referenced: [
      { SOPInstanceUID: '1.2.3', warningReason: null },
      { SOPInstanceUID: '1.2.4', warningReason: 0xb000 },
    ],
    failed: [
      { SOPInstanceUID: '1.2.5', failureReason: 0xa700 },
      { SOPInstanceUID: '1.2.6', failureReason: null },
      { SOPInstanceUID: '1.2.7', failureReason: 0x0111 },
    ],
  };
  const text = JSON.stringify(json);
  const xml = `<?xml version="1.0" encoding="UTF-8"?>
    <ns:NativeDicomModel xmlns:ns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
      <ns:DicomAttribute tag="00081190" vr="UR" keyword="RetrieveURL"><ns:Value number="1">http://a/b?c&amp;d</ns:Value></ns:DicomAttribute>
      <ns:DicomAttribute tag="00081199" vr="SQ" keyword="ReferencedSOPSequence">
        <ns:Item number="1"><ns:DicomAttribute tag="00081155" vr="UI"><ns:Value number="1">1.2.3</ns:Value></ns:DicomAttribute></ns:Item>
        <ns:Item number="2"><ns:DicomAttribute tag="00081155" vr="UI"><ns:Value number="1">1.2.4</ns:Value></ns:DicomAttribute>
          <ns:DicomAttribute tag="00081196" vr="US"><ns:Value number="1">45056</ns:Value></ns:DicomAttribute></ns:Item>
      </ns:DicomAttribute>
      <ns:DicomAttribute tag="00081198" vr="SQ" keyword="FailedSOPSequence">
        <ns:Item number="1"><ns:DicomAttribute tag="00081155" vr="UI"><ns:Value number="1">1.2.5</ns:Value></ns:DicomAttribute>
          <ns:DicomAttribute tag="00081197" vr="US"><ns:Value number="1">42752</ns:Value></ns:DicomAttribute></ns:Item>
        <ns:Item number="2"><ns:DicomAttribute tag="00081155" vr="UI"><ns:Value number="1">1.2.6</ns:Value></ns:DicomAttribute></ns:Item>
        <ns:Item number="3"><ns:DicomAttribute tag="00081155" vr="UI"><ns:Value number="1">1.2.7</ns:Value></ns:DicomAttribute>
          <ns:DicomAttribute tag="00090097" vr="LT"><ns:Value number="1">It already exists.</ns:Value></ns:DicomAttribute></ns:Item>
      </ns:DicomAttribute>
    </ns:NativeDicomModel>`;

  const readable: readonly (readonly [string, string, string | Buffer])[] = [
    ['JSON', 'application/dicom+json', text],
    ['JSON with a byte order mark', 'application/dicom+json', `\ufeff${text}`],
    ['JSON in UTF-16', 'application/dicom+json', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['JSON in a named charset', 'application/json; charset="iso-8859-1"', Buffer.from(text, 'latin1')],
    ['JSON in an unknown charset', 'application/json; charset=klingon', text],
    ['JSON sent as XML', 'application/dicom+xml', text],
    ['JSON without a type', '', text],
    ['JSON in a list', 'application/dicom+json', `[${text}]`],
    ['XML', 'application/dicom+xml', xml],
    ['XML sent as JSON', 'application/dicom+json', xml],
    ['XML with a byte order mark', 'text/xml', `\ufeff${xml}`],
  ];
  for (const [name, type, body] of readable) {
    test(`is read: ${name}`, async () => {
      const answer = await answerTo(202, type === '' ? {} : { 'content-type': type }, body);
      expect(answer).toEqual({ kind: 'answered', status: 202, retryAfterMs: null, ...read });
    });
  }

  test('is read though a middle box compressed it', async () => {
    const answer = await answerTo(200, { 'content-encoding': 'gzip' }, gzipSync(text));
    expect(answer).toMatchObject(read);
  });

  test('is read though a UID in it is a million spaces', async () => {
    const endless = text.replace('1.2.5', `${' '.repeat(1_000_000)}x`);
    expect(await answerTo(202, {}, endless)).toMatchObject({ body: 'parsed', referenced: read.referenced });
  });

  const unreadable: readonly (readonly [string, string])[] = [
    ['HTML', '<!DOCTYPE html><html><body>Welcome</body></html>'],
    ['XML of another kind', '<answer><ok/></answer>'],
    ['cut JSON', text.slice(0, -20)],
    ['cut XML', xml.slice(0, -40)],
    ['XML with a document type', xml.replace('?>', '?><!DOCTYPE a [<!ENTITY b "c">]>')],
    ['XML nested beyond reason', '<a>'.repeat(5000)],
    ['JSON that is no data set', '{"error":{"code":409,"message":"exists"}}'],
    ['a JSON string', '"stored"'],
    ['plain words', 'OK'],
  ];
  for (const [name, body] of unreadable) {
    test(`is unreadable: ${name}`, async () => {
      const answer = await answerTo(200, { 'content-type': 'application/dicom+json' }, body);
      expect(answer).toMatchObject({
        kind: 'answered',
        status: 200,
        body: 'unreadable',
        referenced: [],
        failed: [],
      });
    });
  }

  test('is empty where there is nothing in it', async () => {
    expect(await answerTo(204, {}, '')).toMatchObject({ status: 204, body: 'empty' });
    expect(await answerTo(200, {}, ' \r\n')).toMatchObject({ status: 200, body: 'empty' });
    expect(await answerTo(200, {}, '{}')).toMatchObject({
      status: 200,
      body: 'parsed',
      referenced: [],
      failed: [],
    });
  });

  test('is unreadable where it breaks off or goes on too long', async () => {
    const cut = using(
      await httpServer(async (request, response) => {
        await bodyOf(request);
        response.writeHead(200, { 'content-length': String(text.length) });
        response.write(text.slice(0, 50), () => response.destroy());
      }),
    );
    expect(await clientOf(cut.url).store([smallItem().item], never)).toMatchObject({
      kind: 'answered',
      status: 200,
      body: 'unreadable',
    });
    const closed = Promise.withResolvers<void>();
    const endless = using(
      await httpServer(async (request, response) => {
        await bodyOf(request);
        response.on('close', () => closed.resolve());
        response.writeHead(200, { 'content-type': 'application/dicom+json' });
        while (!response.destroyed) {
          if (!response.write(' '.repeat(65_536)))
            await Promise.race([once(response, 'drain'), closed.promise]);
        }
      }),
    );
    expect(await clientOf(endless.url).store([smallItem().item], never)).toMatchObject({
      body: 'unreadable',
    });
    await closed.promise;
  });

  test('is unreadable where it stops half-way', async () => {
    const server = using(
      await httpServer(async (request, response) => {
        await bodyOf(request);
        response.writeHead(200).write('{"000');
      }),
    );
    const client = clientOf(server.url, { limits: { bodyIdleMs: 200 } });
    expect(await client.store([smallItem().item], never)).toMatchObject({ status: 200, body: 'unreadable' });
  });

  test('is never followed elsewhere', async () => {
    let asked = 0;
    const elsewhere = using(
      await httpServer((_request, response) => {
        asked += 1;
        response.end();
      }),
    );
    for (const status of [301, 302, 307, 308]) {
      const answer = await answerTo(status, { location: elsewhere.url }, '');
      expect(answer).toMatchObject({ kind: 'answered', status, body: 'empty' });
    }
    expect(asked).toBe(0);
  });

  const now = Date.parse('2026-03-01T12:00:00Z');
  const waits: readonly (readonly [string, number | null])[] = [
    ['120', 120_000],
    ['0', 0],
    ['Sun, 01 Mar 2026 12:01:30 GMT', 90_000],
    ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
    ['999999999', 86_400_000],
    ['soon', null],
    ['-5', null],
    ['', null],
  ];
  for (const [text_, wait] of waits) {
    test(`names a time: Retry-After "${text_}"`, async () => {
      const clock = { now: () => now, monotonic: () => 0 };
      const answer = await answerTo(503, { 'retry-after': text_ }, '', { clock });
      expect(answer).toMatchObject({ status: 503, retryAfterMs: wait });
    });
  }
});
