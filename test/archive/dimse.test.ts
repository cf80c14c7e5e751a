import { createHash } from 'node:crypto';
import { type AddressInfo, connect, createServer } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createDimseClient, type DimseOptions } from '../../src/archive/dimse.ts';
import type { ArchiveClient } from '../../src/archive/port.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import { judge } from '../../src/forward/outcome.ts';
import { itemOf } from '../contract/archive.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { freePort, startDcmqrscp, startStorescp } from '../fixtures/dcmtk-scp.ts';
import { ctSlice, type MadeInstance } from '../fixtures/dicom-objects.ts';
import { listenMinimalScp, type MinimalScpOptions } from '../fixtures/minimal-scp.ts';

const never = new AbortController().signal;
const stack: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const stop of stack.splice(0).toReversed()) await stop();
});

function clientTo(port: number, options: Partial<DimseOptions> = {}): ArchiveClient {
  const client = createDimseClient({
    host: '127.0.0.1',
    port,
    aeTitle: 'PACS',
    callingAeTitle: 'GANTRY',
    tls: null,
    ...options,
  });
  stack.push(() => client.close());
  return client;
}

/** A peer that answers as it is told, and what it got. */
async function peer(
  statusOf: (uid: string) => number | 'abort' | 'silence',
  options: Partial<MinimalScpOptions> = {},
): Promise<{ port: number; got: Map<string, Buffer> }> {
  const got = new Map<string, Buffer>();
  const scp = await listenMinimalScp({
    ...options,
    onStore: ({ SOPInstanceUID }) => {
      const chunks: Buffer[] = [];
      const status = statusOf(SOPInstanceUID);
      return {
        write: (bytes) => {
          chunks.push(Buffer.from(bytes));
          if (status === 'abort') for (const socket of scp.sockets) socket.resetAndDestroy();
          return undefined;
        },
        end: () => {
          got.set(SOPInstanceUID, Buffer.concat(chunks));
          return typeof status === 'number' ? Promise.resolve(status) : new Promise<number>(() => undefined);
        },
      };
    },
  });
  stack.push(() => scp.close());
  return { port: scp.port, got };
}

const slice = (seed = 1): MadeInstance => ctSlice({ rows: 32, columns: 32, seed });

describe('statuses of C-STORE', () => {
  test.each([
    [0x0000, 'stored'],
    [0xb000, 'storedWithChange'],
    [0xb006, 'storedWithChange'],
    [0xb007, 'storedWithChange'],
    [0xa700, 'retry'],
    [0xa7ff, 'retry'],
    [0xa900, 'quarantine'],
    [0xc000, 'quarantine'],
    [0xcfff, 'quarantine'],
    [0x0122, 'quarantine'],
    [0x0110, 'retryThenQuarantine'],
    [0x0124, 'retryThenQuarantine'],
    [0x0111, 'compareWithArchive'],
    [0x0210, 'retryThenQuarantine'],
    [0x1234, 'retryThenQuarantine'],
  ])('%i is "%s"', async (status, kind) => {
    const made = slice();
    const { port } = await peer(() => status);
    const answer = await clientTo(port).store([itemOf(made)], never);
    expect(judge(answer, [made]).perInstance).toMatchObject([{ kind }]);
  });

  test('each instance of a batch has its own', async () => {
    const [first, second, third] = [slice(1), slice(2), slice(3)];
    const { port, got } = await peer((uid) => (uid === second.SOPInstanceUID ? 0xa900 : 0));
    const answer = await clientTo(port).store([first, second, third].map(itemOf), never);
    const kinds = judge(answer, [first, second, third]).perInstance.map(({ kind }) => kind);
    expect(kinds).toEqual(['stored', 'quarantine', 'stored']);
    expect(got.get(third.SOPInstanceUID)).toEqual(third.dataSet);
  });
});

describe('what a peer does not accept', () => {
  test('a transfer syntax is refused for that class alone; the rest of the batch arrives', async () => {
    const explicit = ctSlice({ rows: 32, columns: 32, seed: 1, encoding: 'explicit-le' });
    const implicit = ctSlice({ rows: 32, columns: 32, seed: 2, encoding: 'implicit-le' });
    const { port, got } = await peer(() => 0, { refuseSyntaxes: [explicit.TransferSyntaxUID] });
    const answer = await clientTo(port).store([itemOf(explicit), itemOf(implicit)], never);
    const { perInstance, destination } = judge(answer, [explicit, implicit]);
    expect(perInstance).toMatchObject([
      {
        kind: 'resendAsReceived',
        reason: { code: 'DIMSE_C122', words: /accept this transfer syntax, then retry/ },
      },
      { kind: 'stored' },
    ]);
    expect(destination).toEqual({ kind: 'ok' });
    expect([...got.keys()]).toEqual([implicit.SOPInstanceUID]);
  });

  test.each<[readonly [1 | 2, 1 | 2 | 3, number], string, string]>([
    [[1, 1, 7], 'DIMSE_CALLED_AE', 'configFault'],
    [[1, 1, 3], 'DIMSE_CALLING_AE', 'configFault'],
    [[1, 1, 1], 'DIMSE_REJECTED', 'configFault'],
    [[2, 3, 2], 'DIMSE_BUSY', 'backOff'],
  ])('an association rejected with %j is %s', async (reject, code, kind) => {
    const { port, got } = await peer(() => 0, { reject });
    const client = clientTo(port);
    const answer = await client.store([itemOf(slice())], never);
    expect(answer).toEqual({ kind: 'failed', phase: 'unsent', code });
    expect(judge(answer, [slice()])).toMatchObject({
      perInstance: [{ kind: 'notBlamed' }],
      destination: { kind },
    });
    expect(await client.ping(never)).toEqual({ kind: 'failed', code });
    expect(got.size).toBe(0);
  });

  test('no C-FIND and no C-GET are said so, and nothing is taken for proof', async () => {
    const scp = await startStorescp();
    if (scp === null) return;
    stack.push(() => scp.stop());
    const client = clientTo(scp.port);
    const unsupported = { kind: 'failed', why: 'unsupported' };
    expect(await client.find(slice(), never)).toMatchObject({ ...unsupported, code: 'DIMSE_NO_C_FIND' });
    expect(await client.retrieve(slice(), never)).toMatchObject({ ...unsupported, code: 'DIMSE_NO_C_GET' });
  });
});

describe('a line that breaks', () => {
  const large = (): MadeInstance => ctSlice({ rows: 2000, columns: 2000, seed: 5 });

  test('before anything was sent: nobody is to blame', async () => {
    const client = clientTo(await freePort());
    expect(await client.store([itemOf(slice())], never)).toEqual({
      kind: 'failed',
      phase: 'unsent',
      code: 'ECONNREFUSED',
    });
  });

  test('in the middle of an object', async () => {
    const { port } = await peer(() => 'abort');
    const answer = await clientTo(port).store([itemOf(large())], never);
    expect(answer).toMatchObject({ kind: 'failed', phase: 'partial' });
  });

  test('in the middle of the second object: the first is stored, the second unknown', async () => {
    const [first, second] = [slice(), large()];
    const { port } = await peer((uid) => (uid === second.SOPInstanceUID ? 'abort' : 0));
    const answer = await clientTo(port).store([itemOf(first), itemOf(second)], never);
    expect(judge(answer, [first, second]).perInstance).toMatchObject([
      { kind: 'stored' },
      { kind: 'unknown' },
    ]);
  });

  test('after the whole object went out: unknown', async () => {
    const { port, got } = await peer(() => 'silence');
    const made = slice();
    const answer = await clientTo(port, { limits: { answerIdleMs: 200 } }).store([itemOf(made)], never);
    expect(answer).toEqual({ kind: 'failed', phase: 'unanswered', code: 'ANSWER_LATE' });
    expect(judge(answer, [made]).perInstance).toMatchObject([{ kind: 'unknown' }]);
    expect(got.has(made.SOPInstanceUID)).toBe(true);
  });

  test('by an A-ABORT of a real peer, during an object and after it', async () => {
    for (const [option, phase] of [
      ['--abort-during', 'partial'],
      ['--abort-after', 'unanswered'],
    ] as const) {
      const scp = await startStorescp(option);
      if (scp === null) return;
      stack.push(() => scp.stop());
      const answer = await clientTo(scp.port).store([itemOf(large())], never);
      expect(answer.kind).toBe('failed');
      // It resets the connection behind its A-ABORT: which of the two is seen first is up to the line.
      expect(['DIMSE_ABORTED', 'ECONNRESET', 'EPIPE']).toContain(answer.kind === 'failed' && answer.code);
      if (phase === 'unanswered') expect(answer).toMatchObject({ phase });
    }
  });

  test('by what is no DICOM at all', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined).resume();
      socket.write(Buffer.alloc(4096, 0xff));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stack.push(() => new Promise((resolve) => server.close(resolve)));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const answer = await clientTo(port).store([itemOf(slice())], never);
    expect(answer).toEqual({ kind: 'failed', phase: 'unsent', code: 'DIMSE_PROTOCOL' });
  });
});

test('a PACS that ends the kept association just as it is asked is asked anew', async () => {
  const pacs = await startDcmqrscp();
  if (pacs === null) return;
  stack.push(() => pacs.stop());
  // PS3.8 §9.3.1: type 4 is P-DATA-TF. The first question of each connection is let through, the second ends it.
  let connections = 0;
  const relay = createServer((near) => {
    connections += 1;
    let questions = 0;
    const far = connect(pacs.port, '127.0.0.1');
    near.on('data', (bytes) => {
      if (bytes[0] === 4 && (questions += 1) > 1) near.resetAndDestroy();
      else far.write(bytes);
    });
    far.pipe(near);
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    far.on('error', () => near.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  stack.push(async () => void relay.close());
  const { port } = relay.address() as AddressInfo;
  const client = clientTo(port);
  const unknown = slice();
  for (let time = 0; time < 3; time += 1)
    expect(await client.find(unknown, never)).toEqual({ kind: 'absent' });
  expect(connections).toBeGreaterThan(1);
});

test('a large object is read no faster than the peer takes it', async () => {
  const piece = Buffer.alloc(1 << 20);
  const pieces = 64;
  const made = slice();
  const header = part10Header(made);
  let given = 0;
  let taken = 0;
  let aheadMax = 0;
  const hash = createHash('sha256');
  const scp = await listenMinimalScp({
    onStore: () => ({
      write: (bytes) => {
        taken += bytes.length;
        aheadMax = Math.max(aheadMax, given - taken);
        hash.update(bytes);
        return new Promise((resolve) => setImmediate(resolve));
      },
      end: () => Promise.resolve(0),
    }),
  });
  stack.push(() => scp.close());
  const answer = await clientTo(scp.port).store(
    [
      {
        ...itemOf(made),
        bytes: header.length + pieces * piece.length,
        content: async function* () {
          yield header;
          for (let index = 0; index < pieces; index += 1) {
            given += piece.length;
            yield piece;
          }
        },
      },
    ],
    never,
  );
  expect(answer).toMatchObject({ kind: 'answered', failed: [] });
  expect(taken).toBe(pieces * piece.length);
  const expected = createHash('sha256');
  for (let index = 0; index < pieces; index += 1) expected.update(piece);
  expect(hash.digest('hex')).toBe(expected.digest('hex'));
  // What lies between the two is in the buffers of the two sockets.
  expect(aheadMax).toBeLessThan(16 << 20);
});

describe('over TLS', () => {
  test('with a client certificate, to a peer of a known authority; never to one of another', async () => {
    const authority = await makeAuthority();
    const directory = mkdtempSync(join(tmpdir(), 'gantry-dimse-tls-'));
    stack.push(() => Promise.resolve(rmSync(directory, { recursive: true })));
    const file = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    };
    const server = await authority.server();
    const own = await authority.client();
    const caFile = file('ca.pem', authority.cert);
    const scp = await startStorescp(
      '+tls',
      file('pacs.key', server.key),
      file('pacs.pem', server.cert),
      '--add-cert-file',
      caFile,
      '--require-peer-cert',
    );
    if (scp === null) return;
    stack.push(() => scp.stop());
    const clientCertificate = { certFile: file('own.pem', own.cert), keyFile: file('own.key', own.key) };
    const client = clientTo(scp.port, { tls: { caFile, clientCertificate } });
    expect(await client.store([itemOf(slice())], never)).toMatchObject({ kind: 'answered', failed: [] });
    expect(client.line().tlsDaysLeft).toBeGreaterThanOrEqual(0);

    const stranger = await makeAuthority('Another');
    const other = clientTo(scp.port, {
      tls: { caFile: file('other.pem', stranger.cert), clientCertificate },
    });
    expect(await other.store([itemOf(slice())], never)).toMatchObject({ kind: 'failed', phase: 'unsent' });
    const nobody = clientTo(scp.port, { tls: { caFile, clientCertificate: null } });
    expect(await nobody.store([itemOf(slice())], never)).toMatchObject({ kind: 'failed', phase: 'unsent' });
  });
});
