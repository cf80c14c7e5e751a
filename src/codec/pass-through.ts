import type { Reason } from '../base/errors.ts';

/** Why an instance is sent as it was received. Words say what is the case, never a value of the data set. */
export const passThroughReasons = {
  modeOff: { code: 'COMPRESSION_OFF', words: 'Compression is switched off.' },
  noGainOnLine: {
    code: 'COMPRESSION_NOT_SOONER',
    words: 'The line is fast enough: the image arrives sooner as it is.',
  },
  noSyntax: {
    code: 'COMPRESSION_NOT_TAKEN',
    words: 'No destination of the image takes a compressed form that is allowed.',
  },
  compressed: { code: 'COMPRESSION_ALREADY', words: 'The image came compressed.' },
  deflated: { code: 'COMPRESSION_DEFLATED', words: 'The object came deflated.' },
  transferSyntax: {
    code: 'COMPRESSION_TRANSFER_SYNTAX',
    words: 'The object came in a transfer syntax the codec does not read.',
  },
  noPixels: { code: 'COMPRESSION_NO_PIXEL_DATA', words: 'The object has no integer pixel data.' },
  small: { code: 'COMPRESSION_SMALL', words: 'The pixel data, or each frame of it, is too small to gain.' },
  noGain: { code: 'COMPRESSION_NO_GAIN', words: 'The compressed image would not be smaller.' },
  bits: {
    code: 'COMPRESSION_BITS',
    words: 'Samples are not of 8 or 16 bits allocated, or not right-aligned.',
  },
  samples: { code: 'COMPRESSION_SAMPLES', words: 'The image has neither one nor three samples per pixel.' },
  photometric: {
    code: 'COMPRESSION_PHOTOMETRIC',
    words: 'The photometric interpretation has no lossless form in the transfer syntax.',
  },
  planar: {
    code: 'COMPRESSION_PLANAR',
    words: 'Colours lie in planes; compressing would change an element of the header.',
  },
  incomplete: { code: 'COMPRESSION_HEADER', words: 'The header does not describe the pixel data in full.' },
  ambiguous: {
    code: 'COMPRESSION_AMBIGUOUS',
    words: 'The header describes the pixel data twice, or too late.',
  },
  length: {
    code: 'COMPRESSION_LENGTH',
    words: 'The length of the pixel data is not what rows, columns, bits and frames make.',
  },
  unusedBits: {
    code: 'COMPRESSION_UNUSED_BITS',
    words: 'Bits above those stored are in use, for an overlay or for padding.',
  },
  frameLimit: {
    code: 'COMPRESSION_FRAME_LIMIT',
    words: 'A frame, or their number, is over the limit of the codec.',
  },
  headerLimit: { code: 'COMPRESSION_HEADER_LIMIT', words: 'The header is too large to be encoded anew.' },
  groupLength: {
    code: 'COMPRESSION_GROUP_LENGTH',
    words: 'A retired group length would become untrue.',
  },
  offsetTable: {
    code: 'COMPRESSION_OFFSET_TABLE',
    words: 'An offset table of compressed frames stands beside uncompressed pixel data.',
  },
  structure: {
    code: 'COMPRESSION_STRUCTURE',
    words: 'The object holds something that cannot be encoded anew.',
  },
  disk: {
    code: 'COMPRESSION_DISK',
    words: 'The disk failed a read or a write while the image was compressed.',
  },
  engine: { code: 'CODEC_FAILED', words: 'The codec failed on the image.' },
  mismatch: {
    code: 'CODEC_MISMATCH',
    words: 'The compressed image did not give back the bytes received; it is not used.',
  },
} as const satisfies Record<string, Reason>;

export type PassThroughReason = keyof typeof passThroughReasons;

/** Ends a preparation: the instance is sent as it was received. */
export class PassThrough extends Error {
  override readonly name = 'PassThrough';
  readonly reason: Reason;
  /** Whether another of our codecs may take the image all the same. */
  readonly otherCodecMayFit: boolean;

  constructor(reason: PassThroughReason, options: { otherCodecMayFit?: boolean; cause?: unknown } = {}) {
    super(passThroughReasons[reason].words, { cause: options.cause });
    this.reason = passThroughReasons[reason];
    this.otherCodecMayFit = options.otherCodecMayFit ?? false;
  }
}
