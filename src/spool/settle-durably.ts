import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../base/log.ts';

const firstDelayMs = 250;
const delayMsMax = 30_000;

/**
 * Repeats a settlement until the ledger has taken it: an outcome that is known must not be lost to a hiccup of
 * our own disk. Ends early when `signal` fires; the outcome is then unknown after the restart, which is safe.
 */
export async function settleDurably(
  settle: () => Promise<void>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, delayMsMax)) {
    try {
      await settle();
      return;
    } catch (error) {
      log.error({ error }, 'settlement not recorded');
      if (signal.aborted) return;
      await delay(delayMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
