import { expect, test } from 'vitest';
import { Metrics } from '../../src/health/metrics.ts';
import { buildStatus, type StatusInputs } from '../../src/health/status-builder.ts';
import { cloudUp, statusInputs } from './status-inputs.ts';

function metricsOf(source: { inputs: StatusInputs; rejected: Record<string, number> }): Metrics {
  return new Metrics({
    status: async () => {
      const { inputs, rejected: refusalCounts } = source;
      return buildStatus({ ...inputs, intake: { ...inputs.intake, refusalCounts } });
    },
    counters: {
      forwardedInstances: () => ({ stored: 28, retry: 3 }),
      storeResponses: () => ({ '0000': 30, A700: 2 }),
      longPdus: () => 4,
    },
    configuredModalities: () => ['ct1', 'mr1'],
  });
}

/** The lines of the families this project names, without the comments. */
async function lines(metrics: Metrics): Promise<string[]> {
  return (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

test('says the figures of the report under the published names', async () => {
  const found = await lines(metricsOf({ inputs: statusInputs(), rejected: { CALLED_AE_TITLE: 2 } }));
  expect(found).toEqual(
    expect.arrayContaining([
      'gantry_build_info{version="1.2.3"} 1',
      'gantry_verdict{verdict="working"} 1',
      'gantry_verdict{verdict="down"} 0',
      'gantry_config_generation 4',
      'gantry_queue_instances 3',
      'gantry_queue_bytes 3000',
      'gantry_queue_oldest_age_seconds 17',
      'gantry_forwarded_instances_total{result="stored"} 28',
      'gantry_association_rejected_total{reason="CALLED_AE_TITLE"} 2',
      'gantry_store_responses_total{status="A700"} 2',
      'gantry_long_pdus_total 4',
      'gantry_associations 2',
      'gantry_associations_max 64',
      'gantry_idle_connections 1',
      'gantry_idle_connections_max 32',
      'gantry_intake_limit{limit="idleMs"} 60000',
      'gantry_destination_up{destination="cloud"} 1',
      'gantry_last_verified_timestamp_seconds{destination="cloud"} 1768478399',
      'gantry_disk_free_bytes 9000000000',
      'gantry_disk_days_left 12.5',
    ]),
  );
  expect(found.filter((line) => line.startsWith('gantry_process_resident_memory_bytes'))).toHaveLength(1);
});

test('a destination that was not yet heard, or is out of reach, is not up', async () => {
  for (const [state, up] of [
    ['untried', 0],
    ['down', 0],
    ['paused', 0],
    ['waiting', 1],
  ] as const) {
    const destinations = { cloud: { ...cloudUp, state } };
    const found = await lines(metricsOf({ inputs: statusInputs({ destinations }), rejected: {} }));
    expect(found).toContain(`gantry_destination_up{destination="cloud"} ${up}`);
  }
});

test('an AE title of an unknown caller is never a label', async () => {
  const text = await metricsOf({ inputs: statusInputs(), rejected: {} }).text();
  expect(text).toContain('gantry_received_instances_total{modality="ct1"} 25');
  expect(text).toContain('gantry_received_instances_total{modality="mr1"} 0');
  expect(text).toContain('gantry_received_instances_total{modality="unknown"} 5');
  expect(text).not.toContain('STRANGER');
});

test('a scrape shows the present, and what is gone or not known is not shown', async () => {
  const source = { inputs: statusInputs(), rejected: { CALLED_AE_TITLE: 2 } };
  const metrics = metricsOf(source);
  await metrics.text();
  source.rejected = { CALLED_AE_TITLE: 3 };
  source.inputs = statusInputs({ destinations: {}, disk: { ...statusInputs().disk, daysLeft: null } });
  const [first, second] = await Promise.all([metrics.text(), metrics.text()]);
  expect(first).toContain('gantry_association_rejected_total{reason="CALLED_AE_TITLE"} 3');
  expect(first).not.toContain('gantry_last_verified_timestamp_seconds{');
  expect(first).not.toMatch(/^gantry_disk_days_left /m);
  expect(second).toContain('gantry_association_rejected_total{reason="CALLED_AE_TITLE"} 3');
});
