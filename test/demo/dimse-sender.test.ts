import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { GantryError } from '../../src/base/errors.ts';
import { DimseSender, type SenderOptions, verificationSOPClass } from '../../src/demo/dimse-sender.ts';
import type { SOPClassUID, SOPInstanceUID, TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { listenMinimalScp, type MinimalScp, type MinimalScpOptions } from '../fixtures/minimal-scp.ts';
import { readDataSet } from '../fixtures/send-files.ts';

const ctClass = '1.2.840.10008.5.1.4.1.1.2' as SOPClassUID;
const explicitLe = '1.2.840.10008.1.2.1' as TransferSyntaxUID;
const implicitLe = '1.2.840.10008.1.2' as TransferSyntaxUID;
const ofSomeObject = {
  SOPClassUID: ctClass,
  SOPInstanceUID: '2.25.99' as SOPInstanceUID,
  TransferSyntaxUID: explicitLe,
};

const cleanups: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Received {
  readonly SOPInstanceUID: string;
  readonly bytes: Buffer;
}

/** A peer that keeps what it receives. */
async function peer(
  options: Partial<MinimalScpOptions> = {},
): Promise<{ scp: MinimalScp; received: Received[] }> {
  const received: Received[] = [];
  const scp = await listenMinimalScp({
    onStore: ({ SOPInstanceUID }) => {
      const chunks: Buffer[] = [];
      return {
        write: (bytes) => void chunks.push(bytes),
        end: () => {
          received.push({ SOPInstanceUID, bytes: Buffer.concat(chunks) });
          return Promise.resolve(0);
        },
      };
    },
    ...options,
  });
  cleanups.push(() => scp.close());
  return { scp, received };
}

async function connectTo(port: number, options: Partial<SenderOptions> = {}): Promise<DimseSender> {
  const sender = await DimseSender.connect({
    host: '127.0.0.1',
    port,
    callingAeTitle: 'SENDER',
    calledAeTitle: 'PEER',
    contexts: [{ SOPClassUID: ctClass, transferSyntaxes: [explicitLe] }],
    ...options,
  });
  cleanups.push(() => sender.abort());
  return sender;
}

function bytesOf(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
}

async function* inPieces(bytes: Buffer, sizes: readonly number[]): AsyncIterable<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function* broken(): AsyncIterable<Buffer> {
  yield Buffer.alloc(500_000);
  throw new Error('the disk is gone');
}

describe('a data set on the wire', () => {
  it.each([0, 1, 122, 123, 5000, 4_000_001])(
    'arrives byte for byte, %i bytes, whole and in pieces',
    async (length) => {
      const pdus: number[] = [];
      const { scp, received } = await peer({ pduBytesMax: 4096, onDataPdu: (bytes) => pdus.push(bytes) });
      const sender = await connectTo(scp.port);
      const bytes = bytesOf(length);
      await sender.store({ ...ofSomeObject, dataSet: bytes });
      await sender.store({ ...ofSomeObject, dataSet: inPieces(bytes, [1, 0, 4089, 9000, 3]) });
      expect(received.map((each) => each.bytes.equals(bytes))).toEqual([true, true]);
      expect(Math.max(...pdus)).toBeLessThanOrEqual(4096);
    },
  );

  it('is pulled from its source only as fast as the peer takes it', async () => {
    const { promise: letGo, resolve: release } = Promise.withResolvers<void>();
    const { scp } = await peer({
      onStore: () => ({ write: () => letGo, end: () => Promise.resolve(0) }),
    });
    const sender = await connectTo(scp.port);
    const piece = Buffer.alloc(1 << 20);
    let pulled = 0;
    async function* endless(): AsyncIterable<Buffer> {
      for (; pulled < 256; pulled++) yield piece;
    }
    const stored = sender.store({ ...ofSomeObject, dataSet: endless() });
    // The peer reads nothing: the source must come to rest while most of it is unread.
    for (let before = -1; before !== pulled; await sleep(200)) before = pulled;
    expect(pulled).toBeLessThan(128);
    release();
    await expect(stored).resolves.toEqual({ status: 0, errorComment: null });
    expect(pulled).toBe(256);
  });

  it('that breaks off half way ends the association', async () => {
    const { scp, received } = await peer();
    const sender = await connectTo(scp.port);
    await expect(sender.store({ ...ofSomeObject, dataSet: broken() })).rejects.toThrow('the disk is gone');
    await expect(sender.store({ ...ofSomeObject, dataSet: bytesOf(2) })).rejects.toMatchObject({
      code: 'DIMSE_CONNECTION_LOST',
    });
    expect(received).toEqual([]);
  });
});

describe('what the peer says', () => {
  it('a failure status is an answer, and the association goes on', async () => {
    const { scp } = await peer({
      errorComment: 'disk full',
      onStore: ({ SOPInstanceUID }) => ({
        write: () => undefined,
        end: () => Promise.resolve(SOPInstanceUID === '2.25.1' ? 0xa700 : 0),
      }),
    });
    const sender = await connectTo(scp.port);
    const refused = { ...ofSomeObject, SOPInstanceUID: '2.25.1' as SOPInstanceUID };
    await expect(sender.store({ ...refused, dataSet: bytesOf(10) })).resolves.toEqual({
      status: 0xa700,
      errorComment: 'disk full',
    });
    await expect(sender.store({ ...ofSomeObject, dataSet: bytesOf(10) })).resolves.toMatchObject({
      status: 0,
    });
    await sender.release();
  });

  it('negotiation is visible, and what was not accepted is not sent', async () => {
    const { scp, received } = await peer({ refuseSyntaxes: [implicitLe] });
    const sender = await connectTo(scp.port, {
      contexts: [
        { SOPClassUID: verificationSOPClass, transferSyntaxes: [implicitLe, explicitLe] },
        { SOPClassUID: ctClass, transferSyntaxes: [implicitLe] },
      ],
    });
    expect(
      sender.contexts.map(({ id, result, TransferSyntaxUID }) => [id, result, TransferSyntaxUID]),
    ).toEqual([
      [1, 'accepted', explicitLe],
      [3, 'transfer syntax refused', null],
    ]);
    await expect(
      sender.store({ ...ofSomeObject, TransferSyntaxUID: implicitLe, dataSet: bytesOf(4) }),
    ).rejects.toMatchObject({ code: 'DIMSE_NO_CONTEXT' });
    expect(received).toEqual([]);
    await expect(sender.echo()).resolves.toBe(0);
  });

  it('128 contexts fit in one association', async () => {
    const { scp, received } = await peer();
    const contexts = Array.from({ length: 128 }, (_, index) => ({
      SOPClassUID: `2.25.${index}` as SOPClassUID,
      transferSyntaxes: [explicitLe],
    }));
    const sender = await connectTo(scp.port, { contexts });
    await sender.store({ ...ofSomeObject, SOPClassUID: '2.25.127' as SOPClassUID, dataSet: bytesOf(4) });
    expect(received).toHaveLength(1);
    await expect(connectTo(scp.port, { contexts: [...contexts, ...contexts] })).rejects.toThrow(RangeError);
  });

  it.each([
    { reject: [1, 1, 3] as const, kind: 'permanent', words: 'calling AE title not recognized' },
    { reject: [1, 1, 7] as const, kind: 'permanent', words: 'called AE title not recognized' },
    { reject: [2, 3, 2] as const, kind: 'transient', words: 'local limit exceeded' },
  ])('a rejection $reject is told in words', async ({ reject, kind, words }) => {
    const { scp } = await peer({ reject });
    await expect(connectTo(scp.port)).rejects.toMatchObject({
      code: 'DIMSE_REJECTED',
      kind,
      message: expect.stringContaining(words) as string,
    });
  });

  it('silence, an abort, a lost connection and nobody there are told apart', async () => {
    const { scp: silent } = await peer({ silent: true });
    await expect(connectTo(silent.port, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'DIMSE_TIMEOUT' });

    const { scp: aborting } = await peer({
      onStore: () => ({
        write: () => {
          for (const socket of aborting.sockets) socket.end(Buffer.from([7, 0, 0, 0, 0, 4, 0, 0, 2, 6]));
          return undefined;
        },
        end: () => new Promise<never>(() => undefined),
      }),
    });
    const aborted = await connectTo(aborting.port);
    await expect(aborted.store({ ...ofSomeObject, dataSet: bytesOf(100) })).rejects.toMatchObject({
      code: 'DIMSE_ABORTED',
      message: expect.stringContaining('invalid PDU parameter') as string,
    });

    const { scp: dying } = await peer({
      onStore: () => ({
        write: () => {
          for (const socket of dying.sockets) socket.destroy();
          return undefined;
        },
        end: () => new Promise<never>(() => undefined),
      }),
    });
    const lost = await connectTo(dying.port);
    await expect(lost.store({ ...ofSomeObject, dataSet: bytesOf(100) })).rejects.toMatchObject({
      code: 'DIMSE_CONNECTION_LOST',
    });

    const port = dying.port;
    await dying.close();
    await expect(connectTo(port)).rejects.toMatchObject({ code: 'DIMSE_UNREACHABLE' });
  });

  it('an over-long PDU is refused at its header', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.resume();
      socket.write(Buffer.from([0x02, 0, 0x7f, 0xff, 0xff, 0xff]));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(connectTo(port)).rejects.toMatchObject({ code: 'DIMSE_PROTOCOL' });
  });
});

const storescp = '/usr/bin/storescp';

describe.skipIf(!existsSync(storescp))(
  'against DCMTK storescp (skipped where DCMTK is not installed)',
  () => {
    it('echoes, and stores data sets that are byte-identical in the files it writes', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'gantry-test-'));
      cleanups.push(() => rm(directory, { recursive: true }));
      const port = await startStorescp(directory);
      const sender = await connectTo(port, {
        contexts: [
          { SOPClassUID: verificationSOPClass, transferSyntaxes: [implicitLe] },
          { SOPClassUID: ctClass, transferSyntaxes: [explicitLe] },
          { SOPClassUID: ctClass, transferSyntaxes: [implicitLe] },
        ],
      });
      await expect(sender.echo()).resolves.toBe(0);
      const slices = [
        ctSlice({ rows: 512, columns: 512, seed: 1 }),
        ctSlice({ rows: 16, columns: 16, seed: 2, encoding: 'implicit-le' }),
      ];
      for (const slice of slices) {
        await expect(sender.store(slice)).resolves.toEqual({ status: 0, errorComment: null });
      }
      await sender.release();
      const files = await readdir(directory);
      const found = await Promise.all(
        files.map(async (name) => digest(await readDataSet(join(directory, name)))),
      );
      expect(found.toSorted()).toEqual(slices.map(({ dataSet }) => digest(dataSet)).toSorted());
    });

    it('tells its refusal', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'gantry-test-'));
      cleanups.push(() => rm(directory, { recursive: true }));
      const port = await startStorescp(directory, ['--refuse']);
      await expect(connectTo(port)).rejects.toMatchObject({ code: 'DIMSE_REJECTED' });
    });
  },
);

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** storescp cannot choose a free port itself. */
async function startStorescp(directory: string, more: readonly string[] = []): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => probe.close(resolve));
  const child: ChildProcess = spawn(storescp, ['+xa', '+B', '-od', directory, ...more, String(port)], {
    stdio: 'ignore',
    env: { TCP_NODELAY: '1', PATH: '/usr/bin' },
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  cleanups.push(async () => {
    child.kill();
    await ended;
  });
  // There is no ready line: it is up once it answers, whatever it answers.
  for (let attempt = 0; attempt < 100; attempt++) {
    const up = await connectTo(port).then(
      (sender) => sender.release().then(() => true),
      (error: unknown) => error instanceof GantryError && error.code === 'DIMSE_REJECTED',
    );
    if (up) return port;
    await sleep(50);
  }
  throw new Error('storescp did not start');
}
