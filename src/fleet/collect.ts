import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RecordClient } from '../config/remote/channels/record-client.ts';
import { recordPath, topicOf } from '../config/remote/channels/port.ts';
import {
  type BoxName,
  boxName,
  documentBytesMax,
  type FleetName,
  type PublicJwk,
  reportedState,
} from '../config/remote/documents.ts';
import { readSigned } from '../config/remote/signed.ts';
import { keyIdOf, payloadOf, verifySignatures } from '../crypto/jws.ts';
import { inBatches } from './batches.ts';
import { type CentralSignIn, eachOf, openBroker, outwardOf } from './central-line.ts';
import { readIfThere } from './files.ts';
import { replaceDurably } from './record.ts';

/** Where the reports of boxes lie. A stick is a folder with `gantry-fleet` in it. */
export type Source =
  | { readonly folder: string }
  | { readonly kind: 'https' | 'mqtt'; readonly url: string; readonly signIn: CentralSignIn };

export interface CollectOptions {
  readonly fleet: FleetName;
  /** Of each box, the key its reports are signed with. */
  readonly keys: ReadonlyMap<BoxName, PublicJwk>;
  readonly from: Source;
  /** Folder for `DEVICE.json`, the reports themselves. */
  readonly reports: string;
}

export interface Collected {
  /** Boxes with a newer report than before. */
  readonly newer: number;
  /** Boxes whose report is the one known. */
  readonly known: number;
  /** Boxes whose report was not believed: signed by another key, of another box, or older than one seen. */
  readonly refused: readonly { readonly device: string; readonly why: string }[];
  readonly withoutReport: number;
}

const getsAtOnce = 16;
/** Retained messages follow each other closely; so long without one, and the broker has no more. */
const quietMs = 10_000;

/** Fetches the report of each box, believes those that the box itself has signed, and keeps the newest. */
export async function collect({ fleet, keys, from, reports }: CollectOptions): Promise<Collected> {
  let [newer, known] = [0, 0];
  const refused: { device: string; why: string }[] = [];
  const seen = new Set<string>();
  await eachReport(fleet, [...keys.keys()], from, async (name, bytes) => {
    const device = name as BoxName;
    const key = keys.get(device);
    // A box that is not in the folder is not ours to ask.
    if (key === undefined || seen.has(device)) return;
    seen.add(device);
    const verdict = await judge(fleet, device, key, bytes, await seqIn(join(reports, `${device}.json`)));
    if (verdict.kind === 'refused') refused.push({ device, why: verdict.why });
    else if (verdict.kind === 'known') known += 1;
    else {
      await replaceDurably(join(reports, `${device}.json`), verdict.payload);
      newer += 1;
    }
  });
  refused.sort((a, b) => (a.device < b.device ? -1 : 1));
  return { newer, known, refused, withoutReport: keys.size - seen.size };
}

type Verdict =
  | { readonly kind: 'newer'; readonly payload: Buffer }
  | { readonly kind: 'known' }
  | { readonly kind: 'refused'; readonly why: string };

async function judge(
  fleet: FleetName,
  device: string,
  key: PublicJwk,
  bytes: Buffer,
  lastSeq: number,
): Promise<Verdict> {
  const read = readSigned(bytes, reportedState);
  if (!read.ok) return { kind: 'refused', why: 'is no report' };
  const signers = await verifySignatures('gantry-reported', read.jws, new Map([[keyIdOf(key), key]]));
  if (signers.length === 0) return { kind: 'refused', why: 'is not signed by this box' };
  const { value } = read;
  if (value.fleet !== fleet || value.device !== device)
    return { kind: 'refused', why: 'is that of another box' };
  if (value.seq < lastSeq) return { kind: 'refused', why: 'is older than one seen before' };
  return value.seq === lastSeq ? { kind: 'known' } : { kind: 'newer', payload: payloadOf(read.jws) };
}

/** Number of the report that is kept, or 0. */
async function seqIn(path: string): Promise<number> {
  const bytes = await readIfThere(path);
  if (bytes === null) return 0;
  try {
    return reportedState.parse(JSON.parse(bytes.toString())).seq;
  } catch {
    // Damaged here: the next report takes its place.
    return 0;
  }
}

type Take = (device: string, bytes: Buffer) => Promise<void>;

async function eachReport(
  fleet: FleetName,
  devices: readonly BoxName[],
  from: Source,
  take: Take,
): Promise<void> {
  if ('folder' in from) return fromFolder(fleet, devices, from.folder, take);
  if (from.kind === 'mqtt') return fromBroker(fleet, from.url, from.signIn, take);
  const client = new RecordClient(from.url, outwardOf(from.signIn), getsAtOnce);
  try {
    await eachOf(devices, getsAtOnce, async (device) => {
      const fetched = await client.fetch(recordPath(fleet, device, 'reported'), null);
      if (fetched.kind === 'new') await take(device, fetched.bytes);
    });
  } finally {
    await client.close();
  }
}

async function fromFolder(
  fleet: FleetName,
  devices: readonly BoxName[],
  folder: string,
  take: Take,
): Promise<void> {
  const names = await readdir(folder);
  const root = names.includes('gantry-fleet') ? join(folder, 'gantry-fleet') : folder;
  await inBatches(devices, async (device) => {
    const bytes = await readIfThere(join(root, recordPath(fleet, device, 'reported')));
    if (bytes !== null && bytes.length <= documentBytesMax) await take(device, bytes);
  });
}

/** The reports that the broker keeps, in the order it gives them; our own mark comes after the last of them. */
async function fromBroker(fleet: FleetName, url: string, signIn: CentralSignIn, take: Take): Promise<void> {
  const broker = await openBroker(url, signIn);
  try {
    const mark = topicOf(fleet, boxName.parse(`mark-${randomUUID().slice(0, 8)}`), 'reported');
    const topic = new RegExp(`^gantry/v1/${fleet}/([^/]+)/reported$`);
    const found = new Map<string, Buffer>();
    const heard = { mark: false, at: performance.now() };
    broker.onMessage((at, bytes) => {
      heard.at = performance.now();
      const device = topic.exec(at)?.[1];
      if (at === mark) heard.mark = true;
      else if (device !== undefined && bytes.length > 0) found.set(device, bytes);
    });
    await broker.subscribe([`gantry/v1/${fleet}/+/reported`]);
    await broker.publish(mark, Buffer.from('mark'), false);
    while (!heard.mark && performance.now() - heard.at < quietMs) await sleep(20);
    await inBatches([...found], async ([device, bytes]) => {
      if (bytes.length <= documentBytesMax) await take(device, bytes);
    });
  } finally {
    await broker.close();
  }
}
