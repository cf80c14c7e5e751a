import { damaged } from '../crypto/envelope.ts';
import type { ObjectFacts } from './types.ts';

/** The trailer's members beside {@link ObjectFacts}: see FORMAT.md. */
export interface Trailer extends ObjectFacts {
  /** Other bytes were here under the same SOP Instance UID when it was received: parked until an operator decides. */
  readonly conflict: boolean;
  readonly end: 'END';
}

export function encodeTrailer(facts: ObjectFacts, conflict: boolean): Buffer {
  const trailer: Trailer = { ...facts, conflict, end: 'END' };
  return Buffer.from(JSON.stringify(trailer));
}

/** @throws GantryError OBJECT_DAMAGED (it verified, so only a defect of the writer can cause it) */
export function decodeTrailer(bytes: Buffer, plainBytes: number): Trailer {
  const parsed = JSON.parse(bytes.toString()) as Trailer;
  // Objects stored before there were prepared ones do not say that they are none.
  const trailer: Trailer = { ...parsed, restoration: parsed.restoration ?? null };
  if (trailer.end !== 'END' || trailer.dataSetBytes !== plainBytes)
    throw damaged('its trailer does not fit its body');
  return trailer;
}
