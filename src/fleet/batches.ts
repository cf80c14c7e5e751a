const filesAtOnce = 64;

/** Does something with files of each of many boxes, some at a time. @returns the results, in order */
export async function inBatches<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (let first = 0; first < items.length; first += filesAtOnce)
    results.push(...(await Promise.all(items.slice(first, first + filesAtOnce).map((item) => work(item)))));
  return results;
}
