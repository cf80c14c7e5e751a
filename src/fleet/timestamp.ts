import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { type FleetTimestamp, fleetTimestamp, wireVersion } from '../config/remote/documents.ts';
import { FleetIndex } from '../config/remote/freshness.ts';
import { readSigned } from '../config/remote/signed.ts';
import { signPayload } from '../crypto/jws.ts';
import { inBatches } from './batches.ts';
import { boxFile, fleetFiles, readIfThere, replaceFile } from './files.ts';
import { signedIn } from './sign.ts';
import { requireTrust } from './trust-chain.ts';

export interface TimestampOptions {
  /** The git folder, for the trust document. */
  readonly directory: string;
  /** The folder of signed documents. */
  readonly out: string;
  readonly key: KeyObject;
  readonly validHours: number;
  readonly now: Date;
}

/**
 * Signs which documents are newest now, and writes for each box the proof of its own. The trust chain goes beside
 * them, so that the folder holds all that is published.
 */
export async function writeTimestamp(options: TimestampOptions): Promise<FleetTimestamp> {
  const { directory, out, now } = options;
  const trust = await requireTrust(directory);
  const entries = [];
  for await (const { box, read } of signedIn(out)) {
    entries.push({ device: box, generation: read.value.generation, sha256: read.sha256 });
  }
  const index = new FleetIndex(entries);
  const before = await readIfThere(join(out, fleetFiles.timestamp));
  const last = before === null ? null : readSigned(before, fleetTimestamp);
  const timestamp = fleetTimestamp.parse({
    apiVersion: wireVersion,
    kind: 'FleetTimestamp',
    fleet: trust.document.fleet,
    // Seconds of the clock: it rises even where the folder was made anew.
    version: Math.max(Math.floor(now.getTime() / 1000), last?.ok ? last.value.version + 1 : 1),
    issuedAt: now.toISOString(),
    expiresAt: new Date(now.getTime() + options.validHours * 3_600_000).toISOString(),
    trustVersion: trust.document.version,
    index: { root: index.root, boxes: index.entries.length },
  });
  const signed = await signPayload('gantry-timestamp', Buffer.from(JSON.stringify(timestamp)), options.key);
  await inBatches([...index.entries.entries()], ([at, { device }]) => {
    const text = JSON.stringify({ timestamp: signed, proof: index.proof(at) });
    return replaceFile(boxFile(out, device, '.freshness.json'), text);
  });
  await replaceFile(join(out, fleetFiles.trust), JSON.stringify(trust.chain));
  await replaceFile(join(out, fleetFiles.timestamp), JSON.stringify(signed));
  return timestamp;
}
