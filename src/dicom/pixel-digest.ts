import { createHash } from 'node:crypto';
import { walkDataSet } from './data-set-walk.ts';
import type { WalkFailure } from './walker.ts';

export type PixelDigestResult =
  | {
      readonly ok: true;
      /** Hex; null where the data set has no pixel data. */
      readonly sha256: string | null;
      readonly bytes: number;
    }
  | { readonly ok: false; readonly failure: WalkFailure };

/**
 * SHA-256 of a data set's pixel data alone, for archives that rewrite headers: of the value where it is
 * native; of the fragments' bytes in order where it is encapsulated, so that neither the offset table nor how
 * frames are parted into fragments matters. Two data sets compare only in the same transfer syntax.
 */
export async function pixelDigest(
  TransferSyntaxUID: string,
  dataSet: AsyncIterable<Buffer>,
): Promise<PixelDigestResult> {
  const hash = createHash('sha256');
  let bytes = 0;
  const walk = walkDataSet(TransferSyntaxUID, {
    pixelBytes(piece) {
      hash.update(piece);
      bytes += piece.length;
    },
  });
  for await (const piece of dataSet) {
    await walk.push(piece);
    if (walk.failure !== null) break;
  }
  const verdict = await walk.finish();
  if (verdict.kind !== 'complete') return { ok: false, failure: verdict };
  return { ok: true, sha256: bytes === 0 ? null : hash.digest('hex'), bytes };
}
