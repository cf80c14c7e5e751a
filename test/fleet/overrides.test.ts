import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Desk } from '../../src/fleet/desk.ts';
import { readFleetFolder } from '../../src/fleet/fleet-folder.ts';
import { findDevice } from '../../src/fleet/render.ts';
import { followSchemaVersions } from '../../src/fleet/schema-versions.ts';
import { command } from '../cli/command.ts';
import { baseLayer, fleetFolder } from './desk-folder.ts';
import { reportOf, writeReports } from './desk-reports.ts';

const layer = `${baseLayer}  modalities:
    us1: { aeTitle: US1, host: 10.4.1.9, port: 104, addresses: [10.4.1.9] }
`;
const devices = `# The boxes of the north.
kind: Device
id: BOX-ONE
overrides:
  # Asked for by Dr. Jo, June.
  spool: { keepVerifiedHours: 24 }
clearOverrides: [/modalities/old]
---
# Spare.
kind: Device
id: BOX-TWO # in the cellar
`;
const onBox = {
  '/site/timeZone': 'Europe/Rome',
  '/modalities/us1': { aeTitle: 'US1NEW', addresses: ['10.4.1.77'] },
};

function folderWithReport(files: Readonly<Record<string, string>>) {
  const folder = fleetFolder({ 'layers/base.yaml': layer, ...files });
  const reports = join(folder.path, 'reports');
  writeReports(reports, [reportOf('BOX-ONE', { overrides: onBox })]);
  const desk = async () => new Desk(await readFleetFolder(folder.path));
  return {
    path: folder.path,
    reports,
    text: (file: string) => readFileSync(join(folder.path, file), 'utf8'),
    configOf: async (id: string) => {
      const now = await desk();
      const { config, problems } = now.effective(findDevice(now, id));
      expect(problems).toEqual([]);
      return config;
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

test('what was set on boxes is listed beside what the folder says, and shown as drift by its name', async () => {
  using folder = folderWithReport({ 'devices/all.yaml': devices });
  const listed = await command('fleet', 'overrides', 'list', folder.path, '--reports', folder.reports);
  expect(listed.stdout).toMatch(/BOX-ONE \W+site\/timeZone\W+Europe\/Rome\W+Europe\/Berlin/);
  const drift = ['fleet', 'status', folder.reports, '--fleet', folder.path, '--drift'] as const;
  expect((await command(...drift)).stdout).toContain('set on the box: /site/timeZone, /modalities/us1');
  const json = JSON.parse((await command(...drift, '--json')).stdout) as { boxes: { overrides: unknown }[] };
  expect(json.boxes).toMatchObject([{ overrides: ['/site/timeZone', '/modalities/us1'] }]);
});

test('adopted, the folder says exactly the same; comments and other boxes stay as they are', async () => {
  using folder = folderWithReport({ 'devices/all.yaml': devices });
  const done = await command(
    'fleet',
    'overrides',
    'adopt',
    folder.path,
    'BOX-ONE',
    '--reports',
    folder.reports,
  );
  expect([done.code, done.stderr]).toEqual([0, '']);
  expect(await folder.configOf('BOX-ONE')).toMatchObject({
    site: { timeZone: 'Europe/Rome' },
    spool: { keepVerifiedHours: 24 },
  });
  const { modalities } = (await folder.configOf('BOX-ONE')) as { modalities: object };
  expect(modalities).toEqual({ us1: onBox['/modalities/us1'] });
  expect(await folder.configOf('BOX-TWO')).toMatchObject({ modalities: { us1: { port: 104 } } });
  const text = folder.text('devices/all.yaml');
  for (const kept of [
    '# The boxes of the north.',
    '# Asked for by Dr. Jo, June.',
    '# Spare.',
    '# in the cellar',
  ])
    expect(text).toContain(kept);
  // Once more changes nothing.
  await command('fleet', 'overrides', 'adopt', folder.path, 'BOX-ONE', '--reports', folder.reports);
  expect(folder.text('devices/all.yaml')).toBe(text);
});

test('adopted one by one, in a file of JSON too', async () => {
  const file = { kind: 'Device', id: 'BOX-ONE', labels: { region: 'north' }, note: 'left as it is' };
  using folder = folderWithReport({ 'devices/BOX-ONE.json': JSON.stringify(file) });
  const args = ['adopt', folder.path, 'BOX-ONE', '--reports', folder.reports, '--path'] as const;
  await command('fleet', 'overrides', ...args, '/site/timeZone');
  expect(JSON.parse(folder.text('devices/BOX-ONE.json'))).toEqual({
    ...file,
    overrides: { site: { timeZone: 'Europe/Rome' } },
  });
  const wrong = await command('fleet', 'overrides', ...args, '/site/name');
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('FLEET_OVERRIDES_NONE')]);
});

test('cleared, the next document takes them back; what is no longer reported is not taken back for ever', async () => {
  using folder = folderWithReport({ 'devices/all.yaml': devices });
  const clear = ['clear', folder.path, 'BOX-ONE', '--reports', folder.reports] as const;
  await command('fleet', 'overrides', ...clear, '--path', '/site/timeZone');
  const cleared = async () =>
    (await readFleetFolder(folder.path)).devices.get('BOX-ONE')?.value.clearOverrides;
  expect(await cleared()).toEqual(['/site/timeZone']);
  const out = join(folder.path, 'out');
  await command('fleet', 'render', folder.path, '--out', out);
  expect(JSON.parse(folder.text('out/BOX-ONE.json'))).toMatchObject({ clearOverrides: ['/site/timeZone'] });
  await command('fleet', 'overrides', ...clear);
  expect(await cleared()).toEqual(['/site/timeZone', '/modalities/us1']);
  await command('fleet', 'overrides', 'adopt', ...clear.slice(1));
  expect(await cleared()).toEqual([]);
});

test('a Device file follows the version of the settings that its box reports, up and down', async () => {
  using folder = folderWithReport({ 'devices/all.yaml': devices });
  const follow = async (device: string, version: number) => {
    const report = reportOf(device);
    const reports = new Map([[device, { ...report, config: { ...report.config, schemaVersion: version } }]]);
    return followSchemaVersions(await readFleetFolder(folder.path), reports);
  };
  const version = async (id: string) =>
    (await readFleetFolder(folder.path)).devices.get(id)?.value.schemaVersion;
  expect(await follow('BOX-TWO', 2)).toEqual(['BOX-TWO']);
  expect([await version('BOX-ONE'), await version('BOX-TWO')]).toEqual([1, 2]);
  expect(await follow('BOX-TWO', 2)).toEqual([]);
  expect(await follow('BOX-TWO', 1)).toEqual(['BOX-TWO']);
  expect(await version('BOX-TWO')).toBe(1);
  expect(await follow('BOX-ELSEWHERE', 2)).toEqual([]);
  expect(folder.text('devices/all.yaml')).toContain('id: BOX-TWO # in the cellar');
});
