/** How long to wait between attempts. All durations in milliseconds. */
export interface RetryPolicy {
  /** Upper bound of the first delay; it doubles with every further failure. */
  readonly firstMs: number;
  /** Upper bound of every delay. */
  readonly capMs: number;
  /** Lower bound, so that jitter never turns waiting into spinning. */
  readonly floorMs: number;
  /** A Retry-After beyond this is not believed: no answer may silence a destination for days. */
  readonly retryAfterMsMax: number;
}

/** A source of numbers in [0, 1), injected so that tests are repeatable. */
export type Random = () => number;

/**
 * Exponential backoff with full jitter: uniform between the floor and `min(cap, first × 2^(failures − 1))`,
 * so that many boxes do not come back to one archive in step.
 * @param failures consecutive failures so far, this one included (1 or more)
 * @param retryAfterMs what the peer asked for (RFC 9110 §10.2.3), or null: the delay is at least this, with
 *   the jitter on top, since everybody was told the same
 */
export function backoffMs(
  policy: RetryPolicy,
  failures: number,
  random: Random,
  retryAfterMs: number | null = null,
): number {
  const doublings = Math.min(Math.max(failures, 1) - 1, 52);
  const ceiling = Math.max(policy.floorMs, Math.min(policy.capMs, policy.firstMs * 2 ** doublings));
  const jittered = policy.floorMs + random() * (ceiling - policy.floorMs);
  const asked = Math.min(Math.max(retryAfterMs ?? 0, 0), policy.retryAfterMsMax);
  return Math.ceil(asked + jittered);
}
