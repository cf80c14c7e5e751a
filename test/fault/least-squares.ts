const msPerHour = 3_600_000;

/** @returns by how much the line through the samples that fits best rises in an hour; 0 for fewer than two */
export function slopePerHour(samples: readonly { readonly ms: number; readonly mib: number }[]): number {
  const count = samples.length;
  if (count < 2) return 0;
  const meanMs = samples.reduce((sum, { ms }) => sum + ms, 0) / count;
  const meanMib = samples.reduce((sum, { mib }) => sum + mib, 0) / count;
  const rise = samples.reduce((sum, { ms, mib }) => sum + (ms - meanMs) * (mib - meanMib), 0);
  const run = samples.reduce((sum, { ms }) => sum + (ms - meanMs) ** 2, 0);
  return run === 0 ? 0 : (rise / run) * msPerHour;
}
