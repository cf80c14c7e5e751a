import { promisify, TextDecoder } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { headerOf, type LineAnswer } from './http-line.ts';

/** A whole body, or why there is none: broken off, longer than allowed, or in an encoding we did not ask for. */
export type BoundedBody =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'cut' | 'too-long' | 'undecodable' };

const decoders: Readonly<
  Record<string, (bytes: Buffer, limits: { maxOutputLength: number }) => Promise<Buffer>>
> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/** Reads an answer's body up to a limit; beyond it the connection is closed. Never throws. */
export async function readBounded(answer: LineAnswer, bytesMax: number): Promise<BoundedBody> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bytesMax) return { kind: 'too-long' };
      chunks.push(chunk);
    }
  } catch {
    return { kind: 'cut' };
  }
  return decode(Buffer.concat(chunks), headerOf(answer, 'content-encoding'), bytesMax);
}

/** Some middle boxes compress where `identity` was asked for. */
async function decode(bytes: Buffer, encoding: string | null, bytesMax: number): Promise<BoundedBody> {
  const name = encoding?.trim().toLowerCase() ?? '';
  if (bytes.length === 0 || name === '' || name === 'identity') return { kind: 'whole', bytes };
  const decoder = Object.hasOwn(decoders, name) ? decoders[name] : undefined;
  if (decoder === undefined) return { kind: 'undecodable' };
  try {
    return { kind: 'whole', bytes: await decoder(bytes, { maxOutputLength: bytesMax }) };
  } catch {
    return { kind: 'undecodable' };
  }
}

/**
 * Text of a body by its byte order mark, else by the charset given, else UTF-8. What cannot be decoded becomes
 * U+FFFD: names in an answer may be garbled, the UIDs and codes we read are ASCII.
 */
export function bodyText(bytes: Buffer, contentType: string | null): string {
  const named = /;\s*charset\s*=\s*"?([\w.:-]+)/i.exec(contentType ?? '')?.[1] ?? 'utf-8';
  return decoderFor(byteOrderMark(bytes) ?? named).decode(bytes);
}

function byteOrderMark(bytes: Buffer): string | null {
  const start = bytes.toString('latin1', 0, 2);
  if (start === '\xff\xfe') return 'utf-16le';
  return start === '\xfe\xff' ? 'utf-16be' : null;
}

function decoderFor(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset);
  } catch {
    return new TextDecoder('utf-8');
  }
}
