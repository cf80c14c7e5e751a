import { GantryError } from '../base/errors.ts';

/**
 * Reads `multipart/related` (RFC 2046 §5.1, PS3.18 §8.6) part by part, pulled by the reader: one that is slow
 * holds the sender back, and never more than a piece and a delimiter are in memory. (A parser that pushes parts as
 * events cannot hold back many small ones, and takes a body without its closing delimiter for whole.)
 */
export interface MultipartPart {
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The part's content; what is not consumed is skipped with the next part. */
  readonly content: AsyncIterable<Buffer>;
}

const headerBytesMax = 16 * 1024;
/** Of what stands before the first and behind the last delimiter. */
const preambleBytesMax = 64 * 1024;
const lineEnd = Buffer.from('\r\n');
const headerEnd = Buffer.from('\r\n\r\n');

/** @returns the value of a media type parameter (RFC 9110 §5.6.6), quoted or not, or null */
export function mediaTypeParameter(mediaType: string, name: string): string | null {
  for (const [, key, quoted, plain] of mediaType.matchAll(
    /;\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/g,
  )) {
    if (key?.toLowerCase() === name) return quoted?.replace(/\\(.)/g, '$1') ?? plain ?? null;
  }
  return null;
}

/** @returns the boundary of a multipart media type, or null where it is not one or has none that is legal */
export function multipartBoundary(mediaType: string): string | null {
  if (!/^\s*multipart\//i.test(mediaType)) return null;
  const boundary = mediaTypeParameter(mediaType, 'boundary');
  return boundary !== null && /^[\x20-\x7e]{1,70}$/.test(boundary) ? boundary : null;
}

/**
 * @throws GantryError MULTIPART_INVALID, from the iteration of parts or of a part's content, where the body
 * ends before its closing delimiter or does not follow the grammar. What the source throws passes through.
 */
export async function* multipartParts(
  source: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<MultipartPart, void, undefined> {
  const reader = new MultipartReader(source, boundary);
  try {
    await reader.skip(reader.preamble());
    for (let headers = await reader.headers(); headers !== null; headers = await reader.headers()) {
      yield { headers, content: reader.content() };
      // A part left unread or half-read is passed over.
      await reader.skip(reader.content());
    }
    await reader.drain();
  } finally {
    await reader.close();
  }
}

function invalid(message: string): GantryError {
  return new GantryError({
    code: 'MULTIPART_INVALID',
    kind: 'transient',
    message,
    nextStep: 'Send or fetch it again; if it stays so, the other side has a fault.',
  });
}

class MultipartReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #delimiter: Buffer;
  /** Starts with a line end, so that a delimiter at the very start is found like any other. */
  #pending: Buffer = lineEnd;
  #inContent = false;

  constructor(source: AsyncIterable<Uint8Array>, boundary: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  async *preamble(): AsyncGenerator<Buffer, void, undefined> {
    let skipped = 0;
    for await (const piece of this.#untilDelimiter()) {
      skipped += piece.length;
      if (skipped > preambleBytesMax) throw invalid('It has no multipart delimiter where one should be.');
      yield piece;
    }
  }

  async skip(pieces: AsyncIterable<Buffer>): Promise<void> {
    for await (const _ of pieces);
  }

  /** Right behind a delimiter: the headers of the part that begins, or null at the closing delimiter. */
  async headers(): Promise<ReadonlyMap<string, string> | null> {
    while (this.#pending.length < 2) await this.#more();
    if (this.#pending.toString('latin1', 0, 2) === '--') return null;
    let end = this.#headerEnd();
    while (end === null) {
      if (this.#pending.length > headerBytesMax) throw invalid('The headers of a part are too long.');
      await this.#more();
      end = this.#headerEnd();
    }
    const text = this.#pending.toString('latin1', 0, end);
    this.#pending = this.#pending.subarray(end + headerEnd.length);
    this.#inContent = true;
    return parseHeaders(text);
  }

  async *content(): AsyncGenerator<Buffer, void, undefined> {
    if (this.#inContent) yield* this.#untilDelimiter();
  }

  /** Behind the closing delimiter nothing counts, but it is taken, so that the connection can be used again. */
  async drain(): Promise<void> {
    let skipped = 0;
    for (;;) {
      const { value, done } = await this.#source.next();
      if (done === true) return;
      skipped += value.length;
      if (skipped > preambleBytesMax) throw invalid('It goes on behind its closing delimiter.');
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  /** Where the header block ends: its first line end is that of the delimiter's line. */
  #headerEnd(): number | null {
    const start = this.#pending.indexOf(lineEnd);
    const end = start < 0 ? -1 : this.#pending.indexOf(headerEnd, start);
    return end < 0 ? null : end;
  }

  async *#untilDelimiter(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const at = this.#pending.indexOf(this.#delimiter);
      if (at >= 0) {
        const last = this.#pending.subarray(0, at);
        this.#pending = this.#pending.subarray(at + this.#delimiter.length);
        // Before the last piece is handed out: the reader of it may stop there.
        this.#inContent = false;
        if (last.length > 0) yield last;
        return;
      }
      // The end may be the beginning of a delimiter.
      const safe = this.#pending.length - this.#delimiter.length + 1;
      if (safe > 0) {
        const piece = this.#pending.subarray(0, safe);
        this.#pending = this.#pending.subarray(safe);
        yield piece;
      }
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#source.next();
    if (done === true) throw invalid('It ends before its closing delimiter.');
    const chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
  }
}

/** The first line is the rest of the delimiter's line; a header given twice counts as it was given first. */
function parseHeaders(text: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of text.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    if (name !== '' && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}
