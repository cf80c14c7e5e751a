import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type CodecName, codecNames } from '../../src/codec/frame-format.ts';
import { CodecPool } from '../../src/codec/lossless.ts';
import type { TransferSyntaxUID } from '../../src/dicom/uid.ts';
import { prepareWhole, restoreWhole } from '../codec/codec-fixtures.ts';
import { corpusFiles } from '../e2e/corpus-files.ts';
import { corpusDirectory } from '../e2e/peers.ts';
import { loadMaterial, makeStudy, modalities } from './study-material.ts';

/*
 * What compression costs and saves, on one thread: our codecs, and zstd within the seal (each chunk of 64 KiB by
 * itself, as it would have to be there), first for images that the codecs fit, then for what they pass through.
 */

const usage = `npm run bench -- codec [options]
  --megabytes 12   of each modality, at least one object`;

const sealedChunkBytes = 64 * 1024;
const zstdLevels = [1, 3] as const;

interface Sample {
  readonly dataSet: Buffer;
  readonly TransferSyntaxUID: TransferSyntaxUID;
}

interface Row {
  readonly of: string;
  readonly by: string;
  readonly objects: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly ratio: number;
  /** Of the data set, a second. */
  readonly compressMegabytes: number;
  readonly restoreMegabytes: number;
  /** Seconds of CPU for a gigabyte: compressing, and restoring once to prove it. */
  readonly cpuSecondsPerGigabyte: number;
}

/** How one object came out. */
interface Measured {
  readonly bytesOut: number;
  readonly compressMs: number;
  readonly restoreMs: number;
  readonly cpuMs: number;
}

type Way = (sample: Sample) => Promise<Measured | null>;

export async function benchCodec(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { megabytes: { type: 'string', default: '12' }, help: { type: 'boolean', default: false } },
  });
  if (values.help) return console.log(usage);
  const pool = new CodecPool({ workersMax: 1, idleMs: 60_000, threadFailed: (words) => console.log(words) });
  const codecs = codecNames.map((name) => [name, byCodec(name, pool)] as const);
  const zstds = zstdLevels.map((level) => [`zstd-${level}`, byZstd(level)] as const);
  const rows: Row[] = [];
  try {
    for (const modality of modalities) {
      const material = await loadMaterial(modality);
      if (material === null) continue;
      const samples: Sample[] = [];
      for (let bytes = 0; bytes < Number(values.megabytes) * 1e6; ) {
        const made = makeStudy(material, material.templates.length).requests;
        samples.push(...made);
        bytes += made.reduce((sum, { dataSet }) => sum + dataSet.length, 0);
      }
      rows.push(...(await measureAll(`${modality} (${material.origin})`, samples, [...codecs, ...zstds])));
    }
    for (const [kind, samples] of await passedThrough(pool)) {
      rows.push(...(await measureAll(`passed through: ${kind}`, samples, zstds)));
    }
  } finally {
    await pool.stop();
  }
  console.log(JSON.stringify({ bench: 'codec', rows }));
}

async function measureAll(
  of: string,
  samples: readonly Sample[],
  ways: readonly (readonly [string, Way])[],
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [by, way] of ways) {
    const [first] = samples;
    // Engines are loaded, and code is compiled, before the clock runs.
    if (first !== undefined) await way(first);
    const row = await measure(of, by, samples, way);
    if (row === null) continue;
    rows.push(row);
    say(row);
  }
  return rows;
}

async function measure(of: string, by: string, samples: readonly Sample[], way: Way): Promise<Row | null> {
  const sum = { objects: 0, bytesIn: 0, bytesOut: 0, compressMs: 0, restoreMs: 0, cpuMs: 0 };
  for (const sample of samples) {
    const measured = await way(sample);
    if (measured === null) continue;
    sum.objects += 1;
    sum.bytesIn += sample.dataSet.length;
    sum.bytesOut += measured.bytesOut;
    sum.compressMs += measured.compressMs;
    sum.restoreMs += measured.restoreMs;
    sum.cpuMs += measured.cpuMs;
  }
  if (sum.objects === 0) return null;
  const megabytes = (ms: number): number => sum.bytesIn / 1e6 / (ms / 1000);
  return {
    of,
    by,
    objects: sum.objects,
    bytesIn: sum.bytesIn,
    bytesOut: sum.bytesOut,
    ratio: sum.bytesIn / sum.bytesOut,
    compressMegabytes: megabytes(sum.compressMs),
    restoreMegabytes: megabytes(sum.restoreMs),
    cpuSecondsPerGigabyte: sum.cpuMs / 1000 / (sum.bytesIn / 1e9),
  };
}

function say({ of, by, ratio, compressMegabytes, restoreMegabytes, cpuSecondsPerGigabyte }: Row): void {
  const figures = [
    `${ratio.toFixed(2)} : 1`,
    `${compressMegabytes.toFixed(0)} MB/s`,
    `back ${restoreMegabytes.toFixed(0)} MB/s`,
    `${cpuSecondsPerGigabyte.toFixed(1)} CPU-s/GB`,
  ].map((text) => text.padStart(16));
  console.log(`${of.padEnd(46)}${by.padEnd(9)}${figures.join('')}`);
}

/** What the codec passes through as it is comes out as null. */
function byCodec(codec: CodecName, pool: CodecPool): Way {
  return async ({ dataSet, TransferSyntaxUID }) => {
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    const prepared = await prepareWhole(dataSet, TransferSyntaxUID, codec, pool);
    if (!prepared.ok) return null;
    const preparedAt = performance.now();
    await restoreWhole(prepared.dataSet, codec, prepared.restoration, pool);
    const restoreMs = performance.now() - preparedAt;
    const bytesOut = prepared.dataSet.length;
    return { bytesOut, compressMs: preparedAt - startedAt, restoreMs, cpuMs: cpuMsSince(cpuBefore) };
  };
}

function byZstd(level: number): Way {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return async ({ dataSet }) => {
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    const chunks: Buffer[] = [];
    for (let at = 0; at < dataSet.length; at += sealedChunkBytes) {
      const plain = dataSet.subarray(at, at + sealedChunkBytes);
      const packed = zstdCompressSync(plain, { params });
      chunks.push(packed.length < plain.length ? packed : plain);
    }
    const preparedAt = performance.now();
    for (const [index, chunk] of chunks.entries()) {
      const plainBytes = Math.min(sealedChunkBytes, dataSet.length - index * sealedChunkBytes);
      if (chunk.length < plainBytes) zstdDecompressSync(chunk);
    }
    const restoreMs = performance.now() - preparedAt;
    const bytesOut = chunks.reduce((sum, { length }) => sum + length, 0);
    return { bytesOut, compressMs: preparedAt - startedAt, restoreMs, cpuMs: cpuMsSince(cpuBefore) };
  };
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Objects of the corpus that none of our codecs takes, by why. */
async function passedThrough(pool: CodecPool): Promise<Map<string, Sample[]>> {
  const kinds = new Map<string, Sample[]>();
  if (!existsSync(join(corpusDirectory, 'manifest.tsv'))) return kinds;
  for (const { name, path, head } of corpusFiles()) {
    if (name.startsWith('malformed/')) continue;
    const { TransferSyntaxUID, dataSetOffset } = head;
    const dataSet = readFileSync(path).subarray(dataSetOffset);
    const [first, ...others] = await Promise.all(
      codecNames.map((codec) => prepareWhole(dataSet, TransferSyntaxUID, codec, pool)),
    );
    if (first === undefined || first.ok || others.some(({ ok }) => ok)) continue;
    const kind = first.code.replace('COMPRESSION_', '').replaceAll('_', ' ').toLowerCase();
    kinds.set(kind, [...(kinds.get(kind) ?? []), { dataSet, TransferSyntaxUID }]);
  }
  return kinds;
}
