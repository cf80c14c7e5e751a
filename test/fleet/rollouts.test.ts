import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ReportedState } from '../../src/config/remote/documents.ts';
import { Desk } from '../../src/fleet/desk.ts';
import { readFleetFolder } from '../../src/fleet/fleet-folder.ts';
import { GenerationStore } from '../../src/fleet/generations.ts';
import { renderFleet } from '../../src/fleet/render.ts';
import { Rollouts } from '../../src/fleet/rollouts.ts';
import { command } from '../cli/command.ts';
import { baseLayer, fleetFolder, writeFleetFiles } from './desk-folder.ts';
import { reportOf, writeReports } from './desk-reports.ts';

const ids = Array.from({ length: 20 }, (_, index) => `BOX-${String(index).padStart(2, '0')}`);
const devices = ids.map((id) => `kind: Device\nid: ${id}\nlabels: { region: north }\n`).join('---\n');
const rollout = (rest = ''): string =>
  `kind: Rollout\nid: r1\nwaves: [1, 25 %, 100 %]\nsoakMinutes: 10\n${rest}`;
const changed = baseLayer.replace('Berlin', 'Paris');
const start = Date.parse('2026-05-04T12:00:00.000Z');

/** A fleet whose boxes have generation 1, with a change that waits for a rollout. */
async function fleetWithChange(rest = '') {
  const folder = fleetFolder({
    'layers/base.yaml': baseLayer,
    'devices/all.yaml': devices,
    'rollouts/r1.yaml': rollout(rest),
  });
  const { path } = folder;
  const at = (minutes: number): Date => new Date(start + minutes * 60_000);
  const desk = async (): Promise<Desk> => new Desk(await readFleetFolder(path));
  const render = async (minutes = 0) => {
    const outcome = await renderFleet(await desk(), { now: at(minutes) });
    if (!outcome.ok) throw new Error('the folder has problems');
    return outcome.rendered;
  };
  await render();
  writeFleetFiles(path, { 'layers/base.yaml': changed });
  const store = new GenerationStore(path);
  return {
    path,
    at,
    render,
    rollouts: async (minutes: number) => new Rollouts(await desk(), at(minutes)),
    latest: async (device: string) => (await store.read(device)).documents[0],
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

type Fleet = Awaited<ReturnType<typeof fleetWithChange>>;

/** What boxes report that apply whatever they are given. */
async function obedient(fleet: Fleet, minutes: number, except: readonly string[] = []) {
  const reports = new Map<string, ReportedState>();
  for (const id of ids) {
    const { generation = 0 } = (await fleet.latest(id)) ?? {};
    const applied = except.includes(id) ? 1 : generation;
    reports.set(id, reportOf(id, { applied, at: fleet.at(minutes).toISOString() }));
  }
  return reports;
}

test('wave by wave to the end; steps in between change nothing; render leaves the others alone', async () => {
  using fleet = await fleetWithChange();
  const started = await (await fleet.rollouts(0)).start('r1', await obedient(fleet, 0));
  expect(started).toMatchObject({ phase: 'running', waves: 3, changed: [], counts: { waiting: 20 } });
  expect((await fleet.render()).map(({ change }) => change)).toEqual(ids.map(() => 'waiting'));

  const given: number[] = [];
  let phase = '';
  for (let minutes = 1; minutes < 120 && phase !== 'finished'; minutes += 6) {
    const step = await (await fleet.rollouts(minutes)).step('r1', await obedient(fleet, minutes));
    const before = readFileSync(join(fleet.path, 'rollouts', 'r1.state.json'), 'utf8');
    if (step.changed.length > 0) {
      given.push(step.changed.length);
      const again = await (await fleet.rollouts(minutes)).step('r1', await obedient(fleet, -100, ids));
      expect(again.changed).toEqual([]);
      expect(readFileSync(join(fleet.path, 'rollouts', 'r1.state.json'), 'utf8')).toBe(before);
    }
    phase = step.phase;
  }
  expect(phase).toBe('finished');
  expect(given).toEqual([1, 4, 15]);
  for (const id of ids) {
    expect(await fleet.latest(id)).toMatchObject({
      generation: 2,
      rollout: { id: 'r1' },
      config: { site: { timeZone: 'Europe/Paris' } },
    });
  }
  expect((await fleet.render(200)).map(({ change }) => change)).toEqual(ids.map(() => 'kept'));
});

test('an error stops it; a person goes on, or takes it back: also for who was offline', async () => {
  using fleet = await fleetWithChange();
  await (await fleet.rollouts(0)).start('r1', await obedient(fleet, 0));
  const { changed: first } = await (await fleet.rollouts(1)).step('r1', await obedient(fleet, 1));
  const [canary = ''] = first;
  const bad = new Map([[canary, reportOf(canary, { applied: 1, observed: 2, phase: 'RolledBack' })]]);
  const stopped = await (await fleet.rollouts(2)).step('r1', bad);
  expect(stopped).toMatchObject({ phase: 'stopped', changed: [], counts: { failed: 1 } });
  expect((await (await fleet.rollouts(3)).step('r1', bad)).phase).toBe('stopped');

  const resumed = await (await fleet.rollouts(4)).resume('r1', bad);
  expect(resumed).toMatchObject({ phase: 'running', counts: { failed: 0, excused: 1 } });
  const paused = await (await fleet.rollouts(5)).pause('r1', bad);
  expect(paused.phase).toBe('paused');

  const aborted = await (await fleet.rollouts(6)).abort('r1', new Map(), false);
  expect(aborted).toMatchObject({ phase: 'aborted', changed: [canary] });
  expect(await fleet.latest(canary)).toMatchObject({
    generation: 3,
    restores: 1,
    config: { site: { timeZone: 'Europe/Berlin' } },
  });
  // What was taken back stays back until the layers say something else.
  expect(new Set((await fleet.render(7)).map(({ change }) => change))).toEqual(new Set(['withdrawn']));
  writeFleetFiles(fleet.path, { 'layers/base.yaml': baseLayer.replace('Berlin', 'Madrid') });
  expect(new Set((await fleet.render(8)).map(({ change }) => change))).toEqual(new Set(['new']));
  expect((await fleet.latest(canary))?.generation).toBe(4);
  await expect((await fleet.rollouts(9)).abort('r1', new Map(), false)).rejects.toThrow('is over (aborted)');
});

test('an abort leaves alone who has applied it, unless it is for everywhere', async () => {
  using fleet = await fleetWithChange();
  await (await fleet.rollouts(0)).start('r1', await obedient(fleet, 0));
  const { changed: first } = await (await fleet.rollouts(1)).step('r1', await obedient(fleet, 1));
  const [canary = ''] = first;
  const reports = await obedient(fleet, 2);
  expect((await (await fleet.rollouts(2)).abort('r1', reports, false)).changed).toEqual([]);
  expect(await fleet.latest(canary)).toMatchObject({ generation: 2 });
  expect((await (await fleet.rollouts(3)).abort('r1', reports, true)).changed).toEqual([canary]);
  expect(await fleet.latest(canary)).toMatchObject({ generation: 3, restores: 1 });
});

test('what is given is what was looked at: another change in between is refused', async () => {
  using fleet = await fleetWithChange();
  await (await fleet.rollouts(0)).start('r1', new Map());
  writeFleetFiles(fleet.path, { 'layers/base.yaml': baseLayer.replace('Berlin', 'Madrid') });
  await expect((await fleet.rollouts(1)).step('r1', new Map())).rejects.toMatchObject({
    code: 'FLEET_ROLLOUT_CHANGED',
  });
  expect(await fleet.latest('BOX-00')).toMatchObject({ generation: 1 });
});

test('gives by the clock of the site', async () => {
  // 12:00 UTC is 14:00 in Paris in May.
  using fleet = await fleetWithChange('windows: [{ days: mon-fri, from: "20:00", to: "05:00" }]\n');
  await (await fleet.rollouts(0)).start('r1', new Map());
  expect((await (await fleet.rollouts(5 * 60 + 59)).step('r1', new Map())).changed).toEqual([]);
  expect((await (await fleet.rollouts(6 * 60)).step('r1', new Map())).changed).toHaveLength(1);
});

test('refuses to start twice, for nobody, or over another that is not over', async () => {
  using fleet = await fleetWithChange();
  const starting = async (id: string) => (await fleet.rollouts(0)).start(id, new Map());
  await starting('r1');
  await expect(starting('r1')).rejects.toMatchObject({ code: 'FLEET_ROLLOUT_STARTED' });
  writeFleetFiles(fleet.path, {
    'rollouts/r2.yaml': 'kind: Rollout\nid: r2\n',
    'rollouts/r3.yaml': 'kind: Rollout\nid: r3\ntarget: { match: { region: south } }\n',
  });
  await expect(starting('r2')).rejects.toMatchObject({ code: 'FLEET_ROLLOUT_OVERLAP' });
  await expect(starting('r3')).rejects.toMatchObject({ code: 'FLEET_ROLLOUT_EMPTY' });
  await expect(starting('r4')).rejects.toMatchObject({ code: 'FLEET_ROLLOUT_UNKNOWN' });
});

test('where the fleet says so, a change comes by rollout alone', async () => {
  using fleet = await fleetWithChange();
  writeFleetFiles(fleet.path, { 'fleet.yaml': 'kind: Fleet\nname: acme\nchanges: rollout\n' });
  expect(new Set((await fleet.render()).map(({ change }) => change))).toEqual(new Set(['waiting']));
});

test('by command: start, step, status, rollback', async () => {
  using fleet = await fleetWithChange();
  const reports = join(fleet.path, 'reports');
  writeReports(
    reports,
    ids.map((id) => reportOf(id, { applied: 1 })),
  );
  const run = async (...args: string[]) => command('fleet', ...args);
  expect(await run('rollout', 'step', fleet.path, 'r1')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('FLEET_ROLLOUT_NOT_STARTED'),
  });
  expect((await run('rollout', 'start', fleet.path, 'r1', '--reports', reports)).stdout).toContain(
    '20 boxes in 3 waves',
  );
  const step = await run('rollout', 'step', fleet.path, 'r1', '--reports', reports, '--json');
  const { rollouts } = JSON.parse(step.stdout) as { rollouts: { changed: string[] }[] };
  const [device = ''] = rollouts[0]?.changed ?? [];
  expect(ids).toContain(device);
  const status = await run('rollout', 'status', fleet.path, '--reports', reports);
  expect(status.stdout).toMatch(/r1 .*running .*1 of 3/);
  const back = await run('rollback', fleet.path, device);
  expect(back.stdout).toContain('generation 3 brings back 1');
  expect(await run('rollback', fleet.path, device, '--to', '99')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Generations to go back to: 2, 1.'),
  });
});
