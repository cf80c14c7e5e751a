import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { GantryError } from '../base/errors.ts';
import {
  type DesiredConfig,
  desiredConfig,
  documentBytesMax,
  signedDocument,
} from '../config/remote/documents.ts';
import { readSigned, readStrictJson, sha256Hex, type Unverified } from '../config/remote/signed.ts';
import { addSignature, payloadOf, signPayload } from '../crypto/jws.ts';
import { batched } from './batches.ts';
import { boxesWith, boxFile, readIfThere, replaceFile } from './files.ts';
import { refused } from './trust-chain.ts';

/** A rendered document, ready to be signed. */
export interface Rendered {
  readonly box: string;
  /** Exactly what is signed. */
  readonly bytes: Buffer;
  readonly desired: DesiredConfig;
  readonly sha256: string;
}

export interface SignedBox extends Rendered {
  readonly signatures: number;
}

/** The rendered documents of a folder, of all boxes or of one. @throws GantryError FLEET_NOT_RENDERED, FLEET_RENDERED_UNREADABLE */
export function renderedIn(directory: string, only: string | null): AsyncGenerator<Rendered> {
  return eachRendered(directory, only, (rendered) => Promise.resolve(rendered));
}

async function* eachRendered<R>(
  directory: string,
  only: string | null,
  work: (rendered: Rendered) => Promise<R>,
): AsyncGenerator<R> {
  const boxes = (await boxesWith(directory, '.json')).filter((box) => only === null || box === only);
  let found = 0;
  const done = batched(boxes, async (box) => {
    const rendered = await readRendered(directory, box);
    return rendered === null ? null : { result: await work(rendered) };
  });
  for await (const one of done) {
    if (one === null) continue;
    found += 1;
    yield one.result;
  }
  if (found === 0) throw notRendered();
}

async function readRendered(directory: string, box: string): Promise<Rendered | null> {
  const bytes = await readIfThere(boxFile(directory, box, '.json'));
  const json = bytes === null ? null : readStrictJson(bytes);
  // The folder also has files of its own, such as an index.
  const kind = z.looseObject({ kind: z.literal('DesiredConfig') }).safeParse(json);
  if (bytes === null || !kind.success) return null;
  const desired = desiredConfig.safeParse(json);
  if (!desired.success || desired.data.device !== box) throw unreadable(box);
  return { box, bytes, desired: desired.data, sha256: sha256Hex(bytes) };
}

/**
 * Adds a signature to the documents of a folder: offline, with nothing but the folder and the key. What is signed
 * already by this key stays as it is.
 * @throws GantryError FLEET_SAME_GENERATION where other bytes of that number were signed before, FLEET_TOO_LARGE
 */
export function signRendered(
  directory: string,
  key: KeyObject,
  only: string | null,
): AsyncGenerator<SignedBox> {
  return eachRendered(directory, only, (rendered) => signOne(directory, rendered, key));
}

export async function signOne(directory: string, rendered: Rendered, key: KeyObject): Promise<SignedBox> {
  const { box, bytes, desired } = rendered;
  const path = boxFile(directory, box, '.jws');
  const before = await readIfThere(path);
  const json = signedDocument.safeParse(before === null ? null : readStrictJson(before));
  const same = json.success && payloadOf(json.data).equals(bytes);
  if (before !== null && !same) {
    const read = readSigned(before, desiredConfig);
    if (read.ok && read.value.generation === desired.generation) throw refused('FLEET_SAME_GENERATION');
    if (read.ok && read.value.generation > desired.generation) throw refused('FLEET_ROLLBACK');
  }
  const jws = same
    ? await addSignature('gantry-desired', json.data, key)
    : await signPayload('gantry-desired', bytes, key);
  const text = JSON.stringify(jws);
  if (Buffer.byteLength(text) > documentBytesMax) throw refused('FLEET_TOO_LARGE');
  // The same key gives the same signature (RFC 8032 5.1.6): then nothing has changed.
  if (text !== before?.toString()) await replaceFile(path, text);
  return { ...rendered, signatures: jws.signatures.length };
}

/** The signed document of each box in a folder, its signatures not looked at. */
export async function* signedIn(
  directory: string,
): AsyncGenerator<{ readonly box: string; readonly read: Unverified<DesiredConfig> }> {
  const signed = batched(await boxesWith(directory, '.jws'), async (box) => {
    const bytes = await readIfThere(boxFile(directory, box, '.jws'));
    return { box, read: bytes === null ? null : readSigned(bytes, desiredConfig) };
  });
  for await (const { box, read } of signed) if (read?.ok && read.value.device === box) yield { box, read };
}

function unreadable(box: string): GantryError {
  return new GantryError({
    code: 'FLEET_RENDERED_UNREADABLE',
    kind: 'permanent',
    message: `The rendered document of ${box} is damaged, or is that of another box.`,
    nextStep: 'Render it again: "gantry fleet render".',
  });
}

function notRendered(): GantryError {
  return new GantryError({
    code: 'FLEET_NOT_RENDERED',
    kind: 'permanent',
    message: 'There is no rendered document in this folder.',
    nextStep: 'Give the folder that "gantry fleet render" wrote to.',
  });
}
