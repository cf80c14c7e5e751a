/** Chunks cut into pieces of the given size, the last one shorter; without copying. */
export function* pieces(
  chunks: readonly Buffer[],
  size: number,
): Generator<{ readonly bytes: readonly Buffer[]; readonly last: boolean }> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  let done = 0;
  let piece: Buffer[] = [];
  let pieceBytes = 0;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + size - pieceBytes);
      piece.push(part);
      pieceBytes += part.length;
      at += part.length;
      done += part.length;
      if (pieceBytes < size && done < total) continue;
      yield { bytes: piece, last: done === total };
      piece = [];
      pieceBytes = 0;
    }
  }
}
