import type { StoreItem } from './port.ts';

/** What our own side threw while it gave the bytes of an object: nothing is known against the archive. */
export class SourceFailure extends Error {
  override readonly name = 'SourceFailure';

  constructor(cause: unknown) {
    super('the source failed', { cause });
  }
}

/**
 * The item's Part 10 file, exactly as long as announced.
 * @throws SourceFailure
 */
export async function* contentOf(item: StoreItem): AsyncGenerator<Buffer, void, undefined> {
  const source = item.content()[Symbol.asyncIterator]();
  let left = item.bytes;
  try {
    for (;;) {
      const next = await source.next().catch((error: unknown) => {
        throw new SourceFailure(error);
      });
      if (next.done === true) break;
      left -= next.value.length;
      if (left < 0) throw new SourceFailure(new RangeError('an object is longer than announced'));
      yield next.value;
    }
  } finally {
    await source.return?.();
  }
  if (left > 0) throw new SourceFailure(new RangeError('an object is shorter than announced'));
}
