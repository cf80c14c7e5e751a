import type { Destination } from './gateway-destination.ts';
import type { StatusGatherer } from './gateway-status.ts';
import type { Store } from './gateway-store.ts';
import type { IntakeListener } from './intake/listener.ts';

/** `GET /metrics`. */
export type MetricsText = () => Promise<{ readonly contentType: string; readonly text: string }>;

interface Measured {
  readonly status: StatusGatherer;
  readonly listener: IntakeListener;
  readonly destinations: readonly Destination[];
}

export function createMetricsText(store: Store, { status, listener, destinations }: Measured): MetricsText {
  const load = lazily(async () => {
    const { Metrics } = await import('./health/metrics.ts');
    return new Metrics({
      status: () => status.report(),
      counters: {
        forwardedInstances: () => forwardedByResult(destinations),
        storeResponses: () => listener.stats().statuses,
        longPdus: () => listener.stats().longPdus,
      },
      configuredModalities: () => Object.keys(store.current.config.modalities),
    });
  });
  return async () => {
    const metrics = await load();
    return { contentType: metrics.contentType, text: await metrics.text() };
  };
}

/** Made when first asked for: not every box is monitored, and what is never loaded takes no memory. */
function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => (made ??= make());
}

function forwardedByResult(destinations: readonly Destination[]): Record<string, number> {
  const results: Record<string, number> = {};
  for (const { forwarder } of destinations) {
    const { delivered, retries, held, quarantined } = forwarder.state().counters;
    for (const [result, count] of Object.entries({ delivered, retries, held, quarantined })) {
      results[result] = (results[result] ?? 0) + count;
    }
  }
  return results;
}
