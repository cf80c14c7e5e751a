const mebibyte = 1024 * 1024;

/** What the codec takes on. Beyond it an instance is sent as it was received. */
export const codecLimits = {
  /** One uncompressed frame. The engines need some six times as much while they work on it. */
  frameBytesMax: 64 * mebibyte,
  /** Frames of one object that are worked on at the same time, together. */
  framesInFlightBytesMax: 64 * mebibyte,
  /** The same while an object is restored: as many at a time as there are requests. */
  framesAheadBytesMax: 16 * mebibyte,
  framesMax: 100_000,
  /** A side of a frame: the engines' and the formats' 16 bits. */
  sideMax: 65_535,
  /** Frames below this grow by the codestream's own headers. */
  frameBytesMin: 2048,
  /** What stands before, or behind, the pixel data where it has to be encoded anew. */
  headerBytesMax: 16 * mebibyte,
  /** Compressed frames held back until the offset table before them can be written; beyond, it stays empty. */
  offsetTableBytesMax: 32 * mebibyte,
  /** Bytes behind the last frame within the pixel data: padding. */
  paddingBytesMax: 256,
  /** How long the engines may take over one frame. */
  frameMsMax: 120_000,
} as const;

/** How many frames of one object are worked on at the same time. */
export function framesInFlight(width: number, frameBytes: number): number {
  return Math.max(1, Math.min(width, Math.floor(codecLimits.framesInFlightBytesMax / frameBytes)));
}

/** The same while one is restored. */
export function framesAhead(width: number, frameBytes: number): number {
  return Math.max(1, Math.min(width, Math.floor(codecLimits.framesAheadBytesMax / frameBytes)));
}
