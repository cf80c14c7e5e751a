import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { type Disk, type DiskFile, syncDirectory } from '../../base/disk.ts';
import { GantryError } from '../../base/errors.ts';
import { Pool } from '../../base/http-clients.ts';
import type { UpdateConfig } from '../schema.ts';
import { asRemoteFault, remoteFault } from './channels/faults.ts';
import type { Outward } from './channels/outward.ts';
import { connectWith, recordTarget } from './channels/record-client.ts';

/** The slots of the appliance are smaller. */
const bundleBytesMax = 2 * 1024 * 1024 * 1024;
const answerMs = 30_000;
const readBytes = 1024 * 1024;

export interface BundleDownload {
  readonly update: Pick<UpdateConfig, 'url' | 'sha256'>;
  readonly outward: Pick<Outward, 'connect'>;
  readonly disk: Disk;
  /** Where the whole bundle is to lie; what is fetched so far lies beside it, `.part`, and is gone on with. */
  readonly path: string;
  readonly signal: AbortSignal;
}

/**
 * Fetches a bundle, going on where an earlier try ended. Durable and of the announced digest once it resolves.
 * @throws GantryError REMOTE_*, UPDATE_DIGEST, UPDATE_TOO_LARGE; an error of the disk
 */
export async function downloadBundle(download: BundleDownload): Promise<void> {
  const { disk, path, update } = download;
  if ((await disk.facts(path)) !== null) return;
  const part = `${path}.part`;
  const there = await disk.facts(part);
  const file = there === null ? await disk.createFile(part) : await disk.openFile(part, 'read-write');
  try {
    await fetchRest(download, file, there?.bytes ?? 0);
    await file.sync();
    if ((await digestOf(file)) !== update.sha256) {
      await disk.remove(part);
      throw wrongDigest();
    }
  } finally {
    await file.close();
  }
  await disk.rename(part, path);
  await syncDirectory(disk, dirname(path));
}

async function fetchRest(
  { update, outward, signal }: BundleDownload,
  file: DiskFile,
  from: number,
): Promise<void> {
  const url = new URL(update.url);
  const pool = new Pool(url.origin, {
    connections: 1,
    allowH2: false,
    headersTimeout: answerMs,
    // Between two pieces; a slow line may take hours for the whole.
    bodyTimeout: answerMs,
    connect: (_options, callback) => void connectWith(outward, recordTarget(update.url), callback),
  });
  try {
    const headers = {
      'accept-encoding': 'identity',
      'user-agent': 'Gantry',
      ...(from > 0 && { range: `bytes=${from}-` }),
    };
    const answer = await pool.request({ method: 'GET', path: url.pathname, headers, signal });
    const { statusCode } = answer;
    // All of it is there already (RFC 9110 §15.5.17): the digest says whether it is good.
    if (statusCode === 416 && from > 0) return await answer.body.dump();
    if (statusCode !== 200 && statusCode !== 206) {
      await answer.body.dump();
      throw remoteFault(
        statusCode === 401 || statusCode === 403 ? 'REMOTE_SIGN_IN_REFUSED' : 'REMOTE_ANSWER',
      );
    }
    const continued =
      statusCode === 206 && (answer.headers['content-range'] ?? '').toString().startsWith(`bytes ${from}-`);
    let position = continued ? from : 0;
    if (statusCode === 206 && !continued) throw remoteFault('REMOTE_ANSWER');
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      if (position + chunk.length > bundleBytesMax) throw tooLarge();
      await file.write([chunk], position);
      position += chunk.length;
    }
  } catch (error) {
    throw error instanceof GantryError ? error : asRemoteFault(error);
  } finally {
    await pool.destroy();
  }
}

async function digestOf(file: DiskFile): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(readBytes);
  for (let position = 0; ; ) {
    const length = await file.read(buffer, position);
    if (length === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, length));
    position += length;
  }
}

function wrongDigest(): GantryError {
  return new GantryError({
    code: 'UPDATE_DIGEST',
    kind: 'permanent',
    message: 'The bundle that was fetched is not the one that was announced: its SHA-256 differs.',
    nextStep: 'Compare "update" in the configuration with SHA256SUMS of the build, and what the server has.',
  });
}

function tooLarge(): GantryError {
  return new GantryError({
    code: 'UPDATE_TOO_LARGE',
    kind: 'permanent',
    message: 'The bundle is larger than 2 GiB, which no box takes.',
    nextStep: 'Check "url" of "update" in the configuration.',
  });
}
