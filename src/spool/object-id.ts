import { randomBytes } from 'node:crypto';
import type { ObjectId } from './types.ts';

/** A new id: 48 bits of milliseconds since 1970, then 80 random bits; 32 hex digits. */
export function newObjectId(now: number): ObjectId {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Math.max(0, Math.floor(now)) % 2 ** 48, 0, 6);
  return bytes.toString('hex') as ObjectId;
}

export function parseObjectId(text: string): ObjectId | null {
  return /^[0-9a-f]{32}$/.test(text) ? (text as ObjectId) : null;
}

export function objectIdBytesOf(id: ObjectId): Buffer {
  return Buffer.from(id, 'hex');
}
