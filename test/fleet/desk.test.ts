import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DesiredConfig, desiredConfig } from '../../src/config/remote/documents.ts';
import { configSchemaVersion, presentPaths, unknownSettings } from '../../src/config/schema-version.ts';
import { fleetSchemaText } from '../../src/fleet/documents-schema.ts';
import { neverBoth, isMeant, type Target } from '../../src/fleet/documents.ts';
import { mergePatch } from '../../src/fleet/merge.ts';
import { command } from '../cli/command.ts';
import { baseLayer, fleetFolder, writeFleetFiles } from './desk-folder.ts';

const box = (id: string, rest = ''): string => `kind: Device\nid: ${id}\nlabels: { region: north }\n${rest}`;
const layer = (name: string, priority: number, config: string, rest = ''): string =>
  `kind: Layer\nname: ${name}\npriority: ${priority}\n${rest}config: ${config}\n`;

const document = (out: string, device: string): DesiredConfig =>
  desiredConfig.parse(JSON.parse(readFileSync(join(out, `${device}.json`), 'utf8')));

async function json(...args: string[]): Promise<{ code: unknown; value: Record<string, unknown> }> {
  const { code, stdout, stderr } = await command('fleet', ...args, '--json');
  expect(stderr).toBe('');
  return { code, value: JSON.parse(stdout) as Record<string, unknown> };
}

describe('init', () => {
  test('writes a folder that is valid, and nothing over another', async () => {
    using folder = fleetFolder({});
    const path = join(folder.path, 'new');
    expect(await command('fleet', 'init', path, '--name', 'acme')).toMatchObject({ code: 0 });
    expect(await command('fleet', 'lint', path)).toMatchObject({ code: 0, stderr: '' });
    const again = await command('fleet', 'init', path);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('FLEET_FOLDER_IN_USE') });
    expect(readFileSync(join(path, 'fleet.yaml'), 'utf8')).toContain('name: acme');
  });

  test('refuses what is no name of a fleet', async () => {
    using folder = fleetFolder({});
    const { code, stderr } = await command('fleet', 'init', join(folder.path, 'new'), '--name', 'A B');
    expect([code, stderr]).toEqual([2, expect.stringContaining('USAGE_FLEET_NAME')]);
  });
});

describe('lint', () => {
  const lint = async (files: Record<string, string>) => {
    using folder = fleetFolder(files);
    return await command('fleet', 'lint', folder.path);
  };

  test.each([
    [
      'a kind misspelt',
      { 'layers/a.yaml': 'kind: Layr\n' },
      'layers/a.yaml:1:1  kind',
      'Did you mean "Layer"?',
    ],
    [
      'a key misspelt',
      { 'layers/a.yaml': 'kind: Layer\nname: a\npriorty: 1\nconfig: {}\n' },
      'layers/a.yaml:3:1  priorty',
      'Did you mean "priority"?',
    ],
    [
      'broken YAML, without repeating what stands in it',
      { 'layers/a.yaml': 'kind: Layer\nname: "geheim\n' },
      'layers/a.yaml:3:1  the document',
      'not YAML or JSON',
    ],
    ['broken JSON', { 'devices/a.json': '{ "kind": "Device", }x' }, 'devices/a.json:1:', 'not YAML or JSON'],
    [
      'a key twice',
      { 'layers/a.yaml': 'kind: Layer\nname: a\nname: b\npriority: 1\nconfig: {}\n' },
      'layers/a.yaml:3:1',
      'unique',
    ],
    [
      'a key that changes what objects are',
      { 'layers/a.yaml': 'kind: Layer\nname: a\npriority: 1\nconfig: { __proto__: { x: 1 } }\n' },
      'layers/a.yaml:4:11  config.__proto__',
      'is not usable here',
    ],
    [
      'one box twice',
      { 'devices/a.yaml': box('BOX-1'), 'devices/b.json': '{ "kind": "Device", "id": "BOX-1" }' },
      'devices/b.json:1:21  id',
      'also in devices/a.yaml',
    ],
    [
      'a value of a layer that no box takes, once for all boxes',
      {
        'layers/base.yaml': baseLayer,
        'layers/x.yaml': layer('x', 5, '\n  intake:\n    port: 99999'),
        'devices/all.yaml': `${box('BOX-1')}---\n${box('BOX-2')}---\n${box('BOX-3')}`,
      },
      'layers/x.yaml:6:5  config.intake.port',
      '(for BOX-1 and 2 more)',
    ],
    [
      'an override that no box takes',
      {
        'layers/base.yaml': baseLayer,
        'devices/a.yaml': box('BOX-1', 'overrides: { spool: { reservBytes: 1 } }\n'),
      },
      'devices/a.yaml:4:23  overrides.spool.reservBytes',
      'Did you mean "reserveBytes"?',
    ],
    [
      'what nobody sets though every box needs it',
      { 'devices/a.yaml': box('BOX-1') },
      'devices/a.yaml:1:1  destinations',
      'is missing',
    ],
  ])('%s', async (_what, files, place, words) => {
    const { code, stdout, stderr } = await lint(files);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(place);
    expect(stderr).toContain(words);
    expect(stderr).not.toContain('geheim');
  });

  test('two layers of one priority: the same value of the same box names both files and the path', async () => {
    const first = layer('first', 10, '{ site: { timeZone: UTC } }', 'target: { match: { region: north } }\n');
    const second = layer('second', 10, '{ site: { timeZone: UTC } }', 'target: { in: { model: [g1] } }\n');
    const { code, stderr } = await lint({ 'layers/1.yaml': first, 'layers/2.yaml': second });
    expect(code).toBe(2);
    expect(stderr).toContain('layers/2.yaml:5:19  config.site.timeZone');
    expect(stderr).toContain(
      '/site/timeZone is also set by layer "first" (layers/1.yaml), of the same priority 10',
    );
  });

  test('two layers of one priority: well where no box can meet both, or they set different values', async () => {
    const region = (name: string): string => `target: { match: { region: ${name} } }\n`;
    const files = {
      'layers/n.yaml': layer('n', 10, '{ site: { timeZone: UTC } }', region('north')),
      'layers/s.yaml': layer('s', 10, '{ site: { timeZone: UTC } }', region('south')),
      'layers/other.yaml': layer('other', 10, '{ site: { name: X } }'),
    };
    expect(await lint(files)).toMatchObject({ code: 0, stderr: '' });
  });

  test('layers that are set to an object and a value within it are in conflict too', async () => {
    const files = {
      'layers/1.yaml': layer('one', 1, '{ web: null }'),
      'layers/2.yaml': layer('two', 1, '{ web: { port: 81 } }'),
    };
    expect((await lint(files)).stderr).toContain('/web/port is also set by layer "one"');
  });

  test('as JSON', async () => {
    using folder = fleetFolder({ 'layers/a.yaml': 'kind: Layr\n' });
    const { code, value } = await json('lint', folder.path);
    expect(code).toBe(2);
    expect(value).toMatchObject({
      valid: false,
      problems: [{ file: 'layers/a.yaml', line: 1, path: 'kind' }],
    });
  });

  test('a folder that is none', async () => {
    using folder = fleetFolder({});
    const { code, stderr } = await command('fleet', 'lint', join(folder.path, 'none'));
    expect([code, stderr]).toEqual([2, expect.stringContaining('FLEET_FOLDER_UNREADABLE')]);
  });
});

describe('render', () => {
  test('merges layers by priority and the box itself last; generations rise with the content alone', async () => {
    using folder = fleetFolder({
      'layers/base.yaml': baseLayer,
      'layers/north.json': JSON.stringify({
        kind: 'Layer',
        name: 'north',
        priority: 20,
        target: { match: { region: 'north' } },
        config: { site: { name: 'North' }, modalities: { ct1: { aeTitle: 'CT1' }, ct2: { aeTitle: 'CT2' } } },
      }),
      'layers/elsewhere.yaml': layer(
        'elsewhere',
        30,
        '{ site: { name: X } }',
        'target: { match: { region: s } }\n',
      ),
      'devices/a.yaml': `${box('BOX-1', 'overrides: { modalities: { ct2: null } }\n')}---\n${box('BOX-2', 'retired: true\n')}`,
    });
    const out = join(folder.path, 'out');
    expect((await json('render', folder.path, '--out', out)).value).toEqual({
      ok: true,
      written: 1,
      boxes: [{ device: 'BOX-1', change: 'new', generation: 1 }],
    });
    const first = document(out, 'BOX-1');
    expect(first).toMatchObject({
      fleet: 'acme',
      generation: 1,
      schemaVersion: 1,
      source: { commit: 'none' },
    });
    expect(first.config).toEqual({
      site: { timeZone: 'Europe/Berlin', name: 'North' },
      destinations: { cloud: { type: 'stow', url: 'https://archive.example/studies' } },
      modalities: { ct1: { aeTitle: 'CT1' } },
    });
    expect(first.source.layers.map(({ name }) => name)).toEqual(['base', 'north']);
    const bytes = readFileSync(join(out, 'BOX-1.json'));

    const again = await json('render', folder.path, '--out', out);
    expect(again.value).toMatchObject({ written: 0, boxes: [{ change: 'kept', generation: 1 }] });
    const elsewhere = join(folder.path, 'out2');
    await json('render', folder.path, '--out', elsewhere);
    expect(readFileSync(join(elsewhere, 'BOX-1.json')).equals(bytes)).toBe(true);

    writeFleetFiles(folder.path, { 'layers/base.yaml': baseLayer.replace('Berlin', 'Paris') });
    const difference = await json('diff', folder.path, 'BOX-1');
    expect(difference.value).toMatchObject({
      generation: 1,
      changes: [{ path: '/site/timeZone', before: 'Europe/Berlin', after: 'Europe/Paris' }],
    });
    await json('render', folder.path, '--out', out);
    expect(document(out, 'BOX-1')).toMatchObject({
      generation: 2,
      config: { site: { timeZone: 'Europe/Paris' } },
    });
    const forced = await json('render', folder.path, '--out', out, '--again', '--device', 'BOX-1');
    expect(forced.value).toMatchObject({ boxes: [{ change: 'new', generation: 3 }] });
  });

  test('the commit of the folder, and whether it says all', async () => {
    using folder = fleetFolder({ 'layers/base.yaml': baseLayer, 'devices/a.yaml': box('BOX-1') });
    const git = (...args: string[]): string =>
      execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.org', ...args], {
        cwd: folder.path,
        encoding: 'utf8',
      });
    git('init', '--quiet');
    git('add', '.');
    git('commit', '--quiet', '--message', 'fleet');
    const commit = git('rev-parse', 'HEAD').trim();
    const out = join(folder.path, 'out');
    await json('render', folder.path, '--out', out);
    expect(document(out, 'BOX-1').source.commit).toBe(commit);
    writeFleetFiles(folder.path, { 'layers/base.yaml': baseLayer.replace('Berlin', 'Rome') });
    await json('render', folder.path, '--out', out);
    expect(document(out, 'BOX-1').source.commit).toBe(`${commit}-changed`);
  });

  test('writes nothing at all where one box has a problem', async () => {
    using folder = fleetFolder({
      'layers/base.yaml': baseLayer,
      'devices/a.yaml': `${box('BOX-1')}---\n${box('BOX-2', 'overrides: { web: { port: -1 } }\n')}`,
    });
    const out = join(folder.path, 'out');
    expect(await command('fleet', 'render', folder.path, '--out', out)).toMatchObject({
      code: 2,
      stdout: '',
    });
    expect(() => readFileSync(join(out, 'BOX-1.json'))).toThrow('ENOENT');
    expect(() => readFileSync(join(folder.path, 'generations', 'BOX-1.json'))).toThrow('ENOENT');
  });

  test('a configuration that no box would take for its size', async () => {
    const modalities = Array.from({ length: 450 }, (_, index) => [
      `modality-${index}`,
      {
        aeTitle: `AE${index}`,
        addresses: [
          `2001:db8:1111:2222:3333:4444:5555:${index}`,
          `10.1.${index % 250}.1`,
          `10.2.${index % 250}.1`,
          `10.3.${index % 250}.1`,
        ],
      },
    ]);
    const config = JSON.stringify({ modalities: Object.fromEntries(modalities) as object });
    using folder = fleetFolder({
      'layers/base.yaml': baseLayer,
      'layers/many.yaml': layer('many', 1, config),
      'devices/a.yaml': box('BOX-1'),
    });
    expect((await command('fleet', 'lint', folder.path)).stderr).toContain('at most 44000 fit');
  });
});

describe('schema versions', () => {
  test('what the first version knew is still known', () => {
    const known = new Set(presentPaths());
    const v1 = JSON.parse(
      readFileSync(resolve(import.meta.dirname, '../../src/config/schema-v1.json'), 'utf8'),
    ) as { paths: string[] };
    expect(v1.paths.filter((path) => !known.has(path))).toEqual([]);
    expect(configSchemaVersion).toBe(2);
  });

  test('a document of the first version has nothing unknown in it, at either version', () => {
    const example = resolve(import.meta.dirname, '../../deploy/config.example.json');
    const config = JSON.parse(readFileSync(example, 'utf8')) as unknown;
    expect(unknownSettings(config, 1)).toEqual([]);
    expect(unknownSettings(config, configSchemaVersion)).toEqual([]);
    expect(unknownSettings(config, configSchemaVersion + 1)).toEqual([]);
  });
});

describe('settings that a box is too old for', () => {
  const remote = '\n  remote:\n    https: { url: https://fleet.example/gantry }';
  const files = (rest = '') => ({
    'layers/base.yaml': baseLayer,
    'layers/remote.yaml': layer('remote', 5, remote, rest),
    'devices/a.yaml': `${box('BOX-OLD', 'schemaVersion: 1\n')}---\n${box('BOX-NEW', 'schemaVersion: 2\n')}`,
  });

  test('are an error', async () => {
    using folder = fleetFolder(files());
    const { code, stderr } = await command('fleet', 'lint', folder.path);
    expect(code).toBe(2);
    expect(stderr).toContain('layers/remote.yaml:6:5  config.remote.https');
    expect(stderr).toContain('is not known to version 1 of the configuration schema');
    expect(stderr).toContain('(for BOX-OLD)');
  });

  test('or are left out for it alone, where the layer says so; never sent', async () => {
    using folder = fleetFolder(files('ifUnknown: omit\n'));
    const out = join(folder.path, 'out');
    await json('render', folder.path, '--out', out);
    expect(document(out, 'BOX-OLD').config).not.toHaveProperty('remote');
    expect(document(out, 'BOX-NEW').config).toMatchObject({ remote: { https: {} } });
    const { value } = await json('explain', folder.path, 'BOX-OLD', '/remote/https');
    expect(value['setBy']).toMatchObject([{ name: 'remote', omitted: true }]);
  });
});

describe('explain', () => {
  test('says who sets a value, where, and which counts', async () => {
    using folder = fleetFolder({
      'layers/base.yaml': baseLayer,
      'layers/n.yaml': layer('north', 20, '\n  site:\n    timeZone: UTC'),
      'devices/a.yaml': box('BOX-1', 'overrides:\n  site: { timeZone: Europe/Rome }\n'),
    });
    const { value } = await json('explain', folder.path, 'BOX-1', '/site/timeZone');
    expect(value['setBy']).toEqual([
      {
        name: 'base',
        priority: 0,
        file: 'layers/base.yaml',
        line: 5,
        value: 'Europe/Berlin',
        omitted: false,
      },
      { name: 'north', priority: 20, file: 'layers/n.yaml', line: 6, value: 'UTC', omitted: false },
      {
        name: 'device',
        priority: null,
        file: 'devices/a.yaml',
        line: 5,
        value: 'Europe/Rome',
        omitted: false,
      },
    ]);
    const { stdout } = await command('fleet', 'explain', folder.path, 'BOX-1', '/site/timeZone');
    expect(stdout).toMatch(/overruled.*base.*\n.*\n.*overruled.*north.*\n.*\n.*counts.*device.*Rome/);
    const none = await command('fleet', 'explain', folder.path, 'BOX-1', '/web/port');
    expect(none.stdout).toContain('Nothing sets /web/port');
  });

  test('refuses what is no pointer, and boxes it does not know', async () => {
    using folder = fleetFolder({ 'layers/base.yaml': baseLayer });
    expect(await command('fleet', 'explain', folder.path, 'BOX-1', 'web')).toMatchObject({ code: 2 });
    expect(await command('fleet', 'explain', folder.path, 'BOX-1', '/web')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('FLEET_DEVICE_UNKNOWN'),
    });
  });
});

test('deploy/gantry-fleet.schema.json is the present schema (else: npm run build:schema)', () => {
  const path = resolve(import.meta.dirname, '../../deploy/gantry-fleet.schema.json');
  expect(readFileSync(path, 'utf8')).toBe(fleetSchemaText());
});

// Appendix A of RFC 7396; those whose original is no object are left out: a configuration is one.
test.each([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('merge of %j with %j', (target, patch, result) => {
  expect(mergePatch(target, patch)).toEqual(result);
});

test('layers that are said never to meet never do', () => {
  const word = fc.constantFrom('a', 'b', 'c');
  const lists = fc.dictionary(word, fc.uniqueArray(word, { minLength: 1 }), { maxKeys: 2 });
  const target: fc.Arbitrary<Target> = fc.record({
    match: fc.dictionary(word, word, { maxKeys: 2 }),
    in: lists,
    notIn: lists,
  });
  const labels = fc.dictionary(word, word);
  fc.assert(
    fc.property(target, target, labels, (one, other, given) => {
      expect(neverBoth(one, other) && isMeant(one, given) && isMeant(other, given)).toBe(false);
    }),
    { numRuns: 2000 },
  );
});
