import { readPackageFile } from '../base/own-files.ts';
import type { CodecName, FrameFormat } from './frame-format.ts';
import { frameBytes } from './frame-format.ts';
import { PassThrough } from './pass-through.ts';

/*
 * The codec engines. Loaded in workers only, each when first needed. HTJ2K is written by OpenJPH and read by
 * OpenJPEG, so that no engine vouches for itself; JPEG-LS is written and read by CharLS.
 */

/** Made anew for each engine, which builds itself into it. The engines would write to standard output. */
function settings(wasm: string) {
  return { wasmBinary: readPackageFile(wasm), print: () => undefined, printErr: () => undefined };
}

let openJph: Promise<Awaited<ReturnType<typeof loadOpenJph>>> | null = null;
let openJpeg: Promise<Awaited<ReturnType<typeof loadOpenJpeg>>> | null = null;
let charLs: Promise<Awaited<ReturnType<typeof loadCharLs>>> | null = null;

async function loadOpenJph() {
  return (await import('@cornerstonejs/codec-openjph/wasmjs')).default(
    settings('@cornerstonejs/codec-openjph/wasm'),
  );
}

async function loadOpenJpeg() {
  return (await import('@cornerstonejs/codec-openjpeg/decodewasmjs')).default(
    settings('@cornerstonejs/codec-openjpeg/decodewasm'),
  );
}

async function loadCharLs() {
  return (await import('@cornerstonejs/codec-charls/wasmjs')).default(
    settings('@cornerstonejs/codec-charls/wasm'),
  );
}

/**
 * Encodes one frame without loss.
 * @returns the codestream, in memory of its own
 * @throws PassThrough where the codec cannot carry the frame as it is; anything else where the engine fails
 */
export function encodeFrame(codec: CodecName, format: FrameFormat, frame: Uint8Array): Promise<Uint8Array> {
  if (frame.length !== frameBytes(format)) throw new Error('the frame has another length than its format');
  return codec === 'htj2k' ? encodeHtj2k(format, frame) : encodeJpegLs(format, frame);
}

/** Decodes one frame. @throws where the codestream is none, or of another format */
export function decodeFrame(codec: CodecName, format: FrameFormat, stream: Uint8Array): Promise<Uint8Array> {
  return codec === 'htj2k' ? decodeHtj2k(format, stream) : decodeJpegLs(format, stream);
}

/**
 * The precision is Bits Stored, the sign that of Pixel Representation, as readers of PS3.5 §8.2.4 expect. Three
 * samples go without the colour transform, which would change Photometric Interpretation.
 */
async function encodeHtj2k(format: FrameFormat, frame: Uint8Array): Promise<Uint8Array> {
  const { BitsAllocated, BitsStored, signed } = format;
  // Bytes would be read as 16 bits.
  if (BitsAllocated === 16 && BitsStored <= 8) throw new PassThrough('bits', { otherCodecMayFit: true });
  if (!usesStoredBitsOnly(format, frame)) throw new PassThrough('unusedBits', { otherCodecMayFit: true });
  openJph ??= loadOpenJph();
  const encoder = new (await openJph).HTJ2KEncoder();
  try {
    const info = { ...engineFrame(format, BitsStored), isSigned: signed, isUsingColorTransform: false };
    encoder.getDecodedBuffer(info).set(format.SamplesPerPixel === 3 ? inPlaneOrder(format, frame) : frame);
    encoder.setQuality(true, 0);
    encoder.encode();
    return encoder.getEncodedBuffer().slice();
  } finally {
    encoder.delete();
  }
}

/**
 * Without colour transform OpenJPH takes rows plane by plane, but its binding hands it rows pixel by pixel: row n
 * it is handed must be row n of the planes laid end to end. Read back by OpenJPEG, the frame comes out as it was.
 */
function inPlaneOrder({ Rows, Columns, BitsAllocated }: FrameFormat, frame: Uint8Array): Uint8Array {
  const size = BitsAllocated / 8;
  const ordered = new Uint8Array(frame.length);
  for (let handed = 0; handed < 3 * Rows; handed++) {
    const [row, sample] = [handed % Rows, Math.floor(handed / Rows)];
    let to = (Math.floor(handed / 3) * Columns * 3 + (handed % 3)) * size;
    let from = (row * Columns * 3 + sample) * size;
    for (let column = 0; column < Columns; column++) {
      for (let byte = 0; byte < size; byte++) ordered[to + byte] = frame[from + byte] ?? 0;
      to += 3 * size;
      from += 3 * size;
    }
  }
  return ordered;
}

async function decodeHtj2k(format: FrameFormat, stream: Uint8Array): Promise<Uint8Array> {
  openJpeg ??= loadOpenJpeg();
  const decoder = new (await openJpeg).J2KDecoder();
  try {
    decoder.getEncodedBuffer(stream.length).set(stream);
    decoder.decode();
    return checked(format, decoder.getFrameInfo(), decoder.getDecodedBuffer());
  } finally {
    decoder.delete();
  }
}

/**
 * JPEG-LS knows no sign. Readers that do not extend it themselves still see negative samples right where all
 * bits allocated are coded; so are bits above those stored where they are in use.
 */
async function encodeJpegLs(format: FrameFormat, frame: Uint8Array): Promise<Uint8Array> {
  const { BitsAllocated, BitsStored, signed, SamplesPerPixel } = format;
  const asStored = !signed && BitsStored > BitsAllocated - 8 && usesStoredBitsOnly(format, frame);
  charLs ??= loadCharLs();
  const encoder = new (await charLs).JpegLSEncoder();
  try {
    encoder.getDecodedBuffer(engineFrame(format, asStored ? BitsStored : BitsAllocated)).set(frame);
    encoder.setNearLossless(0);
    encoder.setInterleaveMode(SamplesPerPixel === 3 ? 1 : 0);
    encoder.encode();
    return encoder.getEncodedBuffer().slice();
  } finally {
    encoder.delete();
  }
}

async function decodeJpegLs(format: FrameFormat, stream: Uint8Array): Promise<Uint8Array> {
  charLs ??= loadCharLs();
  const decoder = new (await charLs).JpegLSDecoder();
  try {
    decoder.getEncodedBuffer(stream.length).set(stream);
    decoder.decode();
    return checked(format, decoder.getFrameInfo(), decoder.getDecodedBuffer());
  } finally {
    decoder.delete();
  }
}

function engineFrame({ Rows, Columns, SamplesPerPixel }: FrameFormat, bitsPerSample: number): EngineFrame {
  return { width: Columns, height: Rows, bitsPerSample, componentCount: SamplesPerPixel };
}

function checked(format: FrameFormat, info: EngineFrame, decoded: Uint8Array): Uint8Array {
  const same =
    info.width === format.Columns &&
    info.height === format.Rows &&
    info.componentCount === format.SamplesPerPixel &&
    decoded.length === frameBytes(format);
  if (!same) throw new Error('the codestream holds a frame of another format');
  return decoded.slice();
}

/** Whether the bits above those stored are all zero, or all the sign. */
function usesStoredBitsOnly({ BitsAllocated, BitsStored, signed }: FrameFormat, frame: Uint8Array): boolean {
  if (BitsAllocated === BitsStored) return true;
  const { buffer, byteOffset, length } = frame;
  const samples = BitsAllocated === 8 ? frame : new Uint16Array(buffer, byteOffset, length / 2);
  // Moved up by half their range, signed samples of that range have nothing above it but a carry.
  const half = signed ? 2 ** (BitsStored - 1) : 0;
  const allocated = 2 ** BitsAllocated - 1;
  let used = 0;
  // By index, and no look at each: this runs over every sample of every image.
  for (let at = 0; at < samples.length; at++) used |= ((samples[at] ?? 0) + half) & allocated;
  return used >>> BitsStored === 0;
}
