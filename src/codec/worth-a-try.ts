import { transferSyntax } from '../dicom/transfer-syntaxes.ts';
import type { TransferSyntaxUID } from '../dicom/uid.ts';
import type { ObjectFacts } from '../spool/types.ts';
import { codecLimits } from './limits.ts';
import { PassThrough } from './pass-through.ts';
import { nativeEncoding } from './recipe.ts';

/** Looks at what is known of an object without reading it. @throws PassThrough where it is none for the codec */
export function checkWorthATry({ TransferSyntaxUID, image }: ObjectFacts): void {
  checkNative(TransferSyntaxUID);
  if (image === null) throw new PassThrough('noPixels');
  const { Rows, Columns, BitsAllocated } = image;
  if (BitsAllocated !== 8 && BitsAllocated !== 16) throw new PassThrough('bits');
  // Of three samples a pixel, the header will tell.
  if ((Rows * Columns * BitsAllocated * 3) / 8 < codecLimits.frameBytesMin) throw new PassThrough('small');
}

/** @throws PassThrough where the transfer syntax is none to prepare from */
export function checkNative(syntax: TransferSyntaxUID): void {
  if (nativeEncoding(syntax) !== null) return;
  const { encapsulated, deflated } = transferSyntax(syntax);
  if (deflated) throw new PassThrough('deflated');
  throw new PassThrough(encapsulated ? 'compressed' : 'transferSyntax');
}
