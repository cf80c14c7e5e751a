import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { type GeneralJws, isCanonical, payloadOf } from '../../crypto/jws.ts';
import { walkJson } from '../json-text.ts';
import { documentBytesMax, signedDocument } from './documents.ts';
import { type Refused, refusal } from './refusals.ts';

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A signed document whose form is right and whose signatures nobody has looked at yet. */
export interface Unverified<T> {
  readonly ok: true;
  readonly jws: GeneralJws;
  readonly value: T;
  /** Of the exact bytes that are signed. */
  readonly sha256: string;
}

/**
 * Reads JSON that may come from anybody: limited in size and depth, UTF-8, with one reading only (no key twice).
 * @returns undefined where it is anything else
 */
export function readStrictJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
  const walk = walkJson(text);
  if (walk.syntax !== null || walk.lostKeys.length > 0) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Takes a signed document apart; never throws. */
export function readSigned<S extends z.ZodType>(
  bytes: Uint8Array,
  schema: S,
): Unverified<z.output<S>> | Refused {
  if (bytes.length > documentBytesMax) return refusal('FLEET_TOO_LARGE');
  return openSigned(readStrictJson(bytes), schema);
}

/** As {@link readSigned}, for the JSON value of a signed document. */
export function openSigned<S extends z.ZodType>(json: unknown, schema: S): Unverified<z.output<S>> | Refused {
  const outer = signedDocument.safeParse(json);
  if (!outer.success || !isCanonical(outer.data)) return refusal('FLEET_UNREADABLE');
  const payload = payloadOf(outer.data);
  const inner = schema.safeParse(readStrictJson(payload));
  if (!inner.success) return refusal('FLEET_UNREADABLE');
  return { ok: true, jws: outer.data, value: inner.data, sha256: sha256Hex(payload) };
}
