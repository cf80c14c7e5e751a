import type { TransferSyntaxUID } from '../dicom/uid.ts';

/** Our two codecs, by the names the configuration uses. */
export const codecNames = ['htj2k', 'jpeg-ls'] as const;
export type CodecName = (typeof codecNames)[number];

/**
 * The transfer syntaxes they write. Of the two lossless ones for HTJ2K, .201 is taken: .202 promises in addition
 * that the codestream is laid out for progressive reading, and who takes .202 takes .201 too.
 */
export const codecSyntaxes: Readonly<Record<CodecName, TransferSyntaxUID>> = {
  htj2k: '1.2.840.10008.1.2.4.201' as TransferSyntaxUID,
  'jpeg-ls': '1.2.840.10008.1.2.4.80' as TransferSyntaxUID,
};

export function codecOf(syntax: TransferSyntaxUID): CodecName | null {
  return codecNames.find((name) => codecSyntaxes[name] === syntax) ?? null;
}

/** How one uncompressed frame lies in memory: samples interleaved, little endian, rows without padding. */
export interface FrameFormat {
  readonly Rows: number;
  readonly Columns: number;
  readonly SamplesPerPixel: 1 | 3;
  readonly BitsAllocated: 8 | 16;
  readonly BitsStored: number;
  readonly signed: boolean;
}

export function frameBytes(format: FrameFormat): number {
  return (format.Rows * format.Columns * format.SamplesPerPixel * format.BitsAllocated) / 8;
}
