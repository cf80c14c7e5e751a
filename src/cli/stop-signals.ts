import { systemClock } from '../base/clock.ts';

/** How long a repeated signal counts as the same one: npm passes on what the terminal has sent to all. */
const sameSignalMs = 1000;

/**
 * Listens to SIGTERM and SIGINT from now on. Before anybody waits for them, during the start, they end the
 * process: dying is safe at any time. After that the first one asks to stop; whoever insists ends the process.
 */
export function listenToStopSignals(): { readonly asked: () => Promise<NodeJS.Signals> } {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let awaited = false;
  let firstAt = Number.POSITIVE_INFINITY;
  const onSignal = (signal: NodeJS.Signals): void => {
    const now = systemClock.monotonic();
    if (!awaited || now - firstAt > sameSignalMs) return die(signal);
    firstAt = Math.min(firstAt, now);
    resolve(signal);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  return {
    asked: () => {
      awaited = true;
      return promise;
    },
  };
}

/** By the signal itself: an orderly exit would wait for a disk that hangs. */
function die(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // The first process of a container is spared by its own signals.
  process.exit(1);
}
