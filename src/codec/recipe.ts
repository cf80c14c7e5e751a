import type { TransferSyntaxUID } from '../dicom/uid.ts';
import type { ElementEncoding } from './reencode.ts';

/** What a prepared data set does not say any more about the received one. */
export interface Recipe {
  readonly version: 1;
  /** The VR its pixel data had; null where it was written without one. */
  readonly vr: 'OB' | 'OW' | null;
  readonly valueBytes: number;
  /** Base64: what stood behind the last frame within the pixel data. */
  readonly padding: string;
}

/** Reads a recipe as it comes back from the store; null where it is none of ours. */
export function parseRecipe(stored: Readonly<Record<string, unknown>>): Recipe | null {
  const { version, vr, valueBytes, padding } = stored;
  if (version !== 1 || typeof valueBytes !== 'number' || typeof padding !== 'string') return null;
  if (vr !== null && vr !== 'OB' && vr !== 'OW') return null;
  return { version, vr, valueBytes, padding };
}

const encodings: Readonly<Record<string, ElementEncoding>> = {
  '1.2.840.10008.1.2': 'implicit-le',
  '1.2.840.10008.1.2.1': 'explicit-le',
  '1.2.840.10008.1.2.2': 'explicit-be',
};

/** How an uncompressed data set is written; null for every other transfer syntax. */
export function nativeEncoding(syntax: TransferSyntaxUID): ElementEncoding | null {
  return encodings[syntax] ?? null;
}

/** Header of an uncompressed top-level Pixel Data. */
export function nativePixelHeader(encoding: ElementEncoding, { vr, valueBytes }: Recipe): Buffer {
  const header = Buffer.alloc(vr === null ? 8 : 12);
  if (vr !== null) header.write(vr, 4, 'latin1');
  if (encoding === 'explicit-be') {
    header.writeUInt32BE(0x7fe0_0010);
    header.writeUInt32BE(valueBytes, header.length - 4);
  } else {
    header.writeUInt16LE(0x7fe0, 0);
    header.writeUInt16LE(0x0010, 2);
    header.writeUInt32LE(valueBytes, header.length - 4);
  }
  return header;
}
