import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { Metrics } from '../../src/health/metrics.ts';
import { buildStatus } from '../../src/health/status-builder.ts';
import { statusInputs } from '../health/status-inputs.ts';

const folder = join(import.meta.dirname, '..', '..', 'deploy', 'monitoring');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

interface RuleFile {
  readonly groups: { readonly rules: { readonly alert: string; readonly expr: string }[] }[];
}
interface RuleTests {
  readonly tests: { readonly alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
}
interface Panel {
  readonly id: number;
  readonly title: string;
  readonly targets: { readonly expr: string }[];
}

const rules = (parse(read('alerts.yaml')) as RuleFile).groups.flatMap((group) => group.rules);
const panels = (JSON.parse(read('dashboard.json')) as { panels: Panel[] }).panels;

/** What a gateway offers under /metrics: name and labels of each family, those without a figure just now too. */
async function offered(): Promise<{ names: Set<string>; labels: Set<string> }> {
  const none = (): Record<string, number> => ({});
  const metrics = new Metrics({
    status: async () => buildStatus(statusInputs()),
    counters: { forwardedInstances: none, storeResponses: none, longPdus: () => 0 },
    configuredModalities: () => [],
  });
  const text = await metrics.text();
  const names = [...text.matchAll(/^# TYPE (\w+) /gm)].flatMap((match) => match[1] ?? []);
  const source = readFileSync(join(folder, '..', '..', 'src', 'health', 'metrics.ts'), 'utf8');
  const labels = [...source.matchAll(/labels(?:: | = )\[([^\]]+)\]/g)].flatMap(
    (match) => match[1]?.match(/\w+/g) ?? [],
  );
  return { names: new Set(names), labels: new Set([...labels, 'instance', 'job']) };
}

test('alerts and dashboard ask only for what a gateway says', async () => {
  const { names, labels } = await offered();
  const asked = [
    ...rules.map(({ expr }) => expr),
    ...panels.flatMap(({ targets }) => targets.map((t) => t.expr)),
  ];
  expect(asked.length).toBeGreaterThan(30);
  const metrics = asked.flatMap((expr) => expr.match(/\bgantry_\w+/g) ?? []);
  expect(metrics.filter((name) => !names.has(name))).toEqual([]);
  const selectors = asked.flatMap((expr) =>
    [...expr.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map((match) => match[1]),
  );
  expect(selectors.filter((label) => !labels.has(label ?? ''))).toEqual([]);
  expect(read('dashboard.json')).toContain('label_values(gantry_build_info, instance)');
});

test('every alert is shown to fire, and to be silent before', () => {
  const shown = (parse(read('alerts.test.yaml')) as RuleTests).tests.flatMap((one) => one.alert_rule_test);
  for (const { alert } of rules) {
    const cases = shown.filter(({ alertname }) => alertname === alert);
    expect(
      cases.map(({ exp_alerts: alerts }) => alerts.length).toSorted((a, b) => a - b),
      alert,
    ).toEqual([0, 1]);
  }
});

test('panels of the dashboard have names and numbers of their own', () => {
  for (const of of ['id', 'title'] as const) {
    expect(new Set(panels.map((panel) => panel[of])).size).toBe(panels.length);
  }
});

const promtool = spawnSync('promtool', ['--version']).status === 0;
if (!promtool) process.stderr.write('SKIPPED: the alert rules need promtool (Debian: prometheus)\n');

test.skipIf(!promtool)('Prometheus takes the rules, and they fire when they should', () => {
  const run = (...args: string[]) => execFileSync('promtool', args, { cwd: folder, encoding: 'utf8' });
  expect(run('check', 'rules', 'alerts.yaml')).toContain(`${rules.length} rules found`);
  expect(run('test', 'rules', 'alerts.test.yaml')).toContain('SUCCESS');
});
