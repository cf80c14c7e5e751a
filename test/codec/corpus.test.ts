import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FragmentReader } from '../../src/codec/fragments.ts';
import { type CodecName, codecNames, codecSyntaxes } from '../../src/codec/frame-format.ts';
import { CodecPool } from '../../src/codec/lossless.ts';
import { splitAtPixels } from '../../src/codec/pixel-split.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import { transferSyntax } from '../../src/dicom/transfer-syntaxes.ts';
import { type CorpusFile, corpusFiles } from '../e2e/corpus-files.ts';
import { corpusDirectory, patienceMs, runProgram } from '../e2e/peers.ts';
import { part10Head } from '../fixtures/send-files.ts';
import { inChunks, type Prepared, prepareWhole, restoreWhole } from './codec-fixtures.ts';

const present = existsSync(join(corpusDirectory, 'manifest.tsv'));
if (!present) process.stderr.write('SKIPPED: the codec on real images needs the DICOM corpus\n');

async function answers(program: string, option: string): Promise<boolean> {
  const runs = await runProgram(program, [option]).catch(() => null);
  if (runs === null) process.stderr.write(`SKIPPED: the codec beside ${program} needs ${program}\n`);
  return runs?.code === 0;
}
const withDcmtk = present && (await answers('dcmdjpls', '--version'));
const withFfmpeg = present && (await answers('ffmpeg', '-version'));

const pool = new CodecPool({ workersMax: 1, idleMs: 60_000, threadFailed: () => undefined });
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-codec-'));
});
afterAll(async () => {
  await pool.stop();
  await rm(folder, { recursive: true });
});

/** Uncompressed images that are whole; what else there is shows in `passed through`. */
const images = (present ? corpusFiles() : []).filter(
  ({ name, head }) => !name.startsWith('malformed/') && !transferSyntax(head.TransferSyntaxUID).encapsulated,
);

function receivedOf(file: CorpusFile): Buffer {
  return readFileSync(file.path).subarray(file.head.dataSetOffset);
}

function prepare(file: CorpusFile, codec: CodecName): Promise<Prepared> {
  return prepareWhole(receivedOf(file), file.head.TransferSyntaxUID, codec, pool);
}

/** The bytes of the top-level pixel data: its value, or its frames. */
async function pixels(dataSet: Buffer, syntax: string): Promise<{ value: Buffer; frames: Buffer[] }> {
  const value: Buffer[] = [];
  const frames: Buffer[] = [];
  const reader = new FragmentReader();
  for await (const piece of splitAtPixels(inChunks(dataSet), transferSyntax(syntax))) {
    if (piece.part === 'value') value.push(piece.bytes);
    if (piece.part !== 'fragments' || reader.ended) continue;
    for (const part of reader.push(piece.bytes)) if ('frame' in part) frames.push(part.frame);
  }
  return { value: Buffer.concat(value), frames };
}

/** A value as little-endian words, whatever the transfer syntax. */
async function nativePixels(file: CorpusFile): Promise<Buffer> {
  const { TransferSyntaxUID } = file.head;
  const { value } = await pixels(receivedOf(file), TransferSyntaxUID);
  return transferSyntax(TransferSyntaxUID).bigEndian ? Buffer.from(value).swap16() : value;
}

describe.skipIf(!present).each(codecNames)('the corpus in %s', (codec) => {
  test('comes back byte for byte, or is passed through by name', { timeout: patienceMs }, async () => {
    const ratios = new Map<string, number[]>();
    const passed = new Map<string, number>();
    for (const file of images) {
      const received = receivedOf(file);
      const prepared = await prepare(file, codec);
      if (!prepared.ok) {
        expect(prepared.code, file.name).toMatch(/^COMPRESSION_/);
        passed.set(prepared.code, (passed.get(prepared.code) ?? 0) + 1);
        continue;
      }
      const again = await restoreWhole(prepared.dataSet, codec, prepared.restoration, pool, 9000);
      expect(again.equals(received), file.name).toBe(true);
      const group = file.name.split('/')[0] ?? '';
      ratios.set(group, [...(ratios.get(group) ?? []), received.length / prepared.dataSet.length]);
    }
    const table = [...ratios].map(([group, all]) => {
      const mean = all.reduce((sum, each) => sum + each, 0) / all.length;
      return `${group} ${mean.toFixed(2)}:1 (${all.length})`;
    });
    process.stderr.write(`${codec}: ${table.join(', ')}; passed through: ${JSON.stringify([...passed])}\n`);
    expect([...ratios.values()].flat().length).toBeGreaterThan(35);
  });
});

test.skipIf(!withDcmtk)(
  'DCMTK reads the pixels of the corpus in JPEG-LS',
  { timeout: patienceMs },
  async () => {
    let compared = 0;
    for (const file of images) {
      const prepared = await prepare(file, 'jpeg-ls');
      if (!prepared.ok) continue;
      const { SOPClassUID, SOPInstanceUID } = file.head;
      const head = part10Header({ SOPClassUID, SOPInstanceUID, TransferSyntaxUID: codecSyntaxes['jpeg-ls'] });
      const [from, to] = [join(folder, 'from.dcm'), join(folder, 'to.dcm')];
      await writeFile(from, Buffer.concat([head, prepared.dataSet]));
      const run = await runProgram('dcmdjpls', [from, to]);
      expect(run.code, `${file.name}: ${run.stderr}`).toBe(0);
      const decoded = readFileSync(to);
      const meta = part10Head(decoded);
      const { value } = await pixels(decoded.subarray(meta.dataSetOffset), meta.TransferSyntaxUID);
      const native = await nativePixels(file);
      expect(
        value.subarray(0, value.length - 1).equals(native.subarray(0, value.length - 1)),
        file.name,
      ).toBe(true);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(35);
  },
);

/** Of the standard headers of both: precision and sign. */
function precisionOf(codec: CodecName, frame: Buffer): { bits: number; signed: boolean } {
  if (codec === 'htj2k') {
    const at = frame.indexOf(Buffer.from([0xff, 0x51]));
    const depth = frame[at + 40] ?? 0;
    return { bits: (depth & 0x7f) + 1, signed: depth >= 0x80 };
  }
  return { bits: frame[frame.indexOf(Buffer.from([0xff, 0xf7])) + 4] ?? 0, signed: false };
}

test.skipIf(!withFfmpeg).each(codecNames)(
  'ffmpeg reads the pixels of the corpus in %s',
  { timeout: patienceMs },
  async (codec) => {
    let compared = 0;
    // A few of each folder: ffmpeg starts anew for every one.
    const some = images.filter(({ name }, at) => !name.includes('phantom') || at % 8 === 0);
    for (const file of some) {
      const prepared = await prepare(file, codec);
      if (!prepared.ok) continue;
      const { frames } = await pixels(prepared.dataSet, codecSyntaxes[codec]);
      const [frame = Buffer.alloc(0)] = frames;
      if (!ffmpegReads(codec, precisionOf(codec, frame).bits, file)) continue;
      const [from, to] = [join(folder, codec === 'htj2k' ? 'from.j2c' : 'from.jls'), join(folder, 'to.raw')];
      await writeFile(from, frame);
      const decoder = codec === 'htj2k' ? ['-c:v', 'libopenjpeg'] : [];
      const run = await runProgram('ffmpeg', [
        '-y',
        '-v',
        'error',
        ...decoder,
        '-i',
        from,
        '-f',
        'rawvideo',
        to,
      ]);
      expect(run.code, `${file.name}: ${run.stderr}`).toBe(0);
      const decoded = readFileSync(to);
      const native = (await nativePixels(file)).subarray(0, decoded.length);
      expect(wordsOf(decoded, codec, precisionOf(codec, frame)).equals(native), file.name).toBe(true);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(codec === 'htj2k' ? 3 : 15);
  },
);

/** Its JPEG-LS decoder knows no colour of 16 bits; its way to OpenJPEG cuts 9 to 15 bits of grey down to bytes. */
function ffmpegReads(codec: CodecName, bits: number, { name }: CorpusFile): boolean {
  return codec === 'htj2k' ? bits === 8 || bits === 16 : !name.includes('rgb_16bit');
}

/** Samples as DICOM has them, from ffmpeg's: left-aligned JPEG-LS, unsigned J2K. */
function wordsOf(
  decoded: Buffer,
  codec: CodecName,
  { bits, signed }: { bits: number; signed: boolean },
): Buffer {
  const words = Buffer.from(decoded);
  if (bits <= 8) return words;
  for (let at = 0; at + 1 < words.length; at += 2) {
    let sample = words.readUInt16LE(at);
    if (codec === 'jpeg-ls') sample >>>= 16 - bits;
    else if (signed) sample -= 2 ** (bits - 1);
    words.writeUInt16LE(sample & 0xffff, at);
  }
  return words;
}
