/** Time as the gateway sees it; injected so that jumps of the system clock can be tested. */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. May jump; use it for stamps, never for durations. */
  now(): number;
  /** Milliseconds that only go forward; use it for durations and deadlines within this process. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
