const filesAtOnce = 64;

/** Does something with files of each of many boxes, some at a time. @returns the results, in order */
export async function inBatches<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for await (const result of batched(items, work)) results.push(result);
  return results;
}

/** As {@link inBatches}, where the results need not be kept: each once its batch is done, in order. */
export async function* batched<T, R>(items: readonly T[], work: (item: T) => Promise<R>): AsyncGenerator<R> {
  for (let first = 0; first < items.length; first += filesAtOnce)
    yield* await Promise.all(items.slice(first, first + filesAtOnce).map((item) => work(item)));
}
