import { execFile } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { encodeDataSet } from '../../src/demo/dicom-writer.ts';
import { DimseSender } from '../../src/demo/dimse-sender.ts';
import type { SOPClassUID, SOPInstanceUID } from '../../src/dicom/uid.ts';
import type { StatusReport } from '../../src/health/status.ts';
import { readPart10Head } from '../fixtures/send-files.ts';
import { explicitLittleEndian, fixedLengthUid } from './objects.ts';
import { RssWatch } from './process-stats.ts';
import { missing, type RunningServer, serverNames, startArchive, startServer } from './servers.ts';

/**
 * One large multi-frame object, generated as it is sent, into a throttled disk: memory may not grow with it.
 */

const usage = `npm run bench -- large [options]
  --mib 1024          size of the object
  --rate 20           of the disk, MB/s; 0 leaves it as it is
  --server gantry     or: ${serverNames.slice(1).join(', ')}
  --directory DIR     where the disk under test is mounted`;

const multiFrameWordClass = '1.2.840.10008.5.1.4.1.1.7.3' as SOPClassUID;
const frameSide = 512;
const frameBytes = frameSide * frameSide * 2;
const verifiedMs = 600_000;

export async function benchLarge(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      mib: { type: 'string', default: '1024' },
      rate: { type: 'string', default: '20' },
      server: { type: 'string', default: 'gantry' },
      directory: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', default: false },
    },
  });
  const name = serverNames.find((each) => each === values.server);
  if (values.help || name === undefined) return console.log(usage);
  const why = missing(name);
  if (why !== null) return console.log(`NOTICE: ${name} cannot take part: ${why}.`);
  const directory = await mkdtemp(join(values.directory, 'gantry-bench-'));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(directory, { recursive: true, force: true }));
  const disk = await throttledDisk(directory, Number(values.rate), cleanup);
  const archiveDirectory = join(directory, 'archive');
  const archive = await startArchive(archiveDirectory);
  cleanup.defer(() => archive.stop());
  const server = await startServer(name, { directory: disk.path, archiveUrl: archive.url });
  cleanup.defer(() => server.stop());
  const result = await sendLarge(server, Number(values.mib), archiveDirectory);
  console.log(
    JSON.stringify({ bench: 'large', server: name, mib: Number(values.mib), disk: disk.words, ...result }),
  );
}

/** A directory whose writes are slowed down, where FUSE and bindfs are there; says so where they are not. */
async function throttledDisk(
  directory: string,
  rateMegabytes: number,
  cleanup: AsyncDisposableStack,
): Promise<{ path: string; words: string }> {
  const real = join(directory, 'real');
  await mkdir(real);
  if (rateMegabytes === 0) return { path: real, words: 'not throttled' };
  if (!existsSync('/usr/bin/bindfs') || !existsSync('/dev/fuse')) {
    console.log('NOTICE: the disk is NOT throttled: that needs bindfs and /dev/fuse.');
    return { path: real, words: 'not throttled' };
  }
  const slow = join(directory, 'slow');
  await mkdir(slow);
  const run = promisify(execFile);
  await run('/usr/bin/bindfs', [`--write-rate=${rateMegabytes}M`, real, slow]);
  cleanup.defer(async () => {
    await run('fusermount', ['-u', slow]);
  });
  return { path: slow, words: `throttled to ${rateMegabytes} MB/s (bindfs)` };
}

interface LargeResult {
  readonly acknowledgedSeconds: number;
  readonly megabytesPerSecond: number;
  readonly rssGrowthMiB: number;
  readonly rssGrowthAcknowledgedMiB: number;
  /** Null where the server does not forward. */
  readonly digestEqual: boolean | null;
}

async function sendLarge(server: RunningServer, mib: number, archiveDirectory: string): Promise<LargeResult> {
  const uid = fixedLengthUid(0);
  const object = new LargeObject(uid, Math.max(1, Math.round((mib * 2 ** 20) / frameBytes)));
  const sender = await DimseSender.connect({
    host: '127.0.0.1',
    ...server.target,
    callingAeTitle: 'BENCH',
    contexts: [{ SOPClassUID: multiFrameWordClass, transferSyntaxes: [explicitLittleEndian] }],
    timeoutMs: 600_000,
  });
  const watch = new RssWatch(server.pid);
  const acknowledgedWatch = new RssWatch(server.pid);
  const start = performance.now();
  const { status, errorComment } = await sender.store({
    SOPClassUID: multiFrameWordClass,
    SOPInstanceUID: uid as SOPInstanceUID,
    TransferSyntaxUID: explicitLittleEndian,
    dataSet: object.dataSet(),
  });
  const seconds = (performance.now() - start) / 1000;
  if (status !== 0) throw new Error(`answered ${status.toString(16)} (${errorComment ?? ''})`);
  await sender.release();
  const growthMiB = (peakBytes: number): number => (peakBytes - watch.firstBytes) / 2 ** 20;
  const rssGrowthAcknowledgedMiB = growthMiB(acknowledgedWatch.stop());
  const megabytes = object.bytes / 1e6;
  console.log(
    `acknowledged ${megabytes.toFixed(0)} MB in ${seconds.toFixed(1)} s, ${(megabytes / seconds).toFixed(1)} MB/s`,
  );
  console.log(`RSS growth until the answer: ${rssGrowthAcknowledgedMiB.toFixed(0)} MiB (goal: at most 128)`);
  const digestEqual = await compareAtArchive(server, object, archiveDirectory);
  const rssGrowthMiB = growthMiB(watch.stop());
  console.log(`RSS growth in all: ${rssGrowthMiB.toFixed(0)} MiB (goal: at most 128)`);
  return {
    acknowledgedSeconds: seconds,
    megabytesPerSecond: megabytes / seconds,
    rssGrowthMiB,
    rssGrowthAcknowledgedMiB,
    digestEqual,
  };
}

async function compareAtArchive(
  { statusUrl }: RunningServer,
  object: LargeObject,
  archiveDirectory: string,
): Promise<boolean | null> {
  if (statusUrl === undefined) return null;
  const until = performance.now() + verifiedMs;
  for (let verified = 0; verified === 0; await sleep(250)) {
    if (performance.now() > until) throw new Error('not verified in time');
    const report = (await (await fetch(statusUrl)).json()) as StatusReport;
    verified = report.totals.verified;
  }
  const instances = join(archiveDirectory, 'instances');
  const [name = ''] = await readdir(instances);
  const path = join(instances, name);
  const hash = createHash('sha256');
  const { dataSetOffset } = await readPart10Head(path);
  for await (const chunk of createReadStream(path, { start: dataSetOffset })) hash.update(chunk as Buffer);
  const equal = hash.digest('hex') === object.sha256();
  console.log(`digest at the archive: ${equal ? 'equal' : 'DIFFERENT'}`);
  return equal;
}

/** A multi-frame grayscale object made frame by frame; never in memory as a whole. */
class LargeObject {
  readonly #header: Buffer;
  readonly #frames: number;
  readonly #hash = createHash('sha256');

  constructor(uid: string, frames: number) {
    this.#frames = frames;
    this.#header = encodeDataSet({
      SOPClassUID: multiFrameWordClass,
      SOPInstanceUID: uid,
      StudyInstanceUID: fixedLengthUid(1),
      SeriesInstanceUID: fixedLengthUid(2),
      Modality: 'OT',
      PatientName: 'PHANTOM^GANTRY',
      PatientID: 'PHANTOM-1',
      SamplesPerPixel: 1,
      PhotometricInterpretation: 'MONOCHROME2',
      NumberOfFrames: frames,
      Rows: frameSide,
      Columns: frameSide,
      BitsAllocated: 16,
      BitsStored: 16,
      HighBit: 15,
      PixelRepresentation: 0,
      PixelData: Buffer.alloc(0),
    });
    // The pixels follow as they are made: the length, last in the header, is theirs.
    this.#header.writeUInt32LE(frames * frameBytes, this.#header.length - 4);
  }

  get bytes(): number {
    return this.#header.length + this.#frames * frameBytes;
  }

  /** May be read once. */
  async *dataSet(): AsyncIterable<Buffer> {
    this.#hash.update(this.#header);
    yield this.#header;
    const pixels = randomFillSync(Buffer.alloc(frameBytes));
    for (let frame = 0; frame < this.#frames; frame++) {
      const bytes = Buffer.from(pixels);
      bytes.writeUInt32LE(frame, 0);
      this.#hash.update(bytes);
      yield bytes;
    }
  }

  /** Of what was read. */
  sha256(): string {
    return this.#hash.copy().digest('hex');
  }
}
