import { Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';
import { version } from '../../src/base/version.ts';
import type { Architecture } from './base-node.ts';
import { type RunTimePackage, runTimePackages } from './run-time-packages.ts';

/**
 * What the executable is made of, as CycloneDX 1.6 in JSON. Without the time and a number of its own, so that the
 * same sources give the same bytes.
 */
export function makeSbom(architecture: Architecture): string {
  const { packages, named } = runTimePackages(architecture);
  const components = new Map(packages.map((each) => [each.path, componentOf(each)]));
  const refsOf = (paths: readonly string[]): Models.BomRef[] =>
    paths.flatMap((path) => components.get(path)?.bomRef ?? []);
  for (const { path, dependencies } of packages) {
    for (const ref of refsOf(dependencies)) components.get(path)?.dependencies.add(ref);
  }
  const product = new Models.Component(Enums.ComponentType.Application, 'gantry', {
    version,
    bomRef: `gantry@${version}`,
    licenses: licensesOf('MIT'),
    dependencies: new Models.BomRefRepository(refsOf(named)),
  });
  const bom = new Models.Bom({
    metadata: new Models.Metadata({ component: product }),
    components: new Models.ComponentRepository(components.values()),
  });
  const factory = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  return `${new Serialize.JsonSerializer(factory).serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function componentOf({
  path,
  name,
  version: packageVersion,
  license,
  sha512,
}: RunTimePackage): Models.Component {
  const isNode = name.startsWith('node-linux-');
  return new Models.Component(isNode ? Enums.ComponentType.Platform : Enums.ComponentType.Library, name, {
    version: packageVersion,
    bomRef: path,
    purl: `pkg:npm/${name.replace('@', '%40')}@${packageVersion}`,
    licenses: licensesOf(license),
    hashes: new Models.HashDictionary([
      [Enums.HashAlgorithm['SHA-512'], Buffer.from(sha512, 'base64').toString('hex')],
    ]),
    // Node is known to those who list vulnerabilities by its own name, not by that of the package it comes in.
    ...(isNode ? { cpe: `cpe:2.3:a:nodejs:node.js:${packageVersion}:*:*:*:*:*:*:*` as const } : {}),
  });
}

function licensesOf(license: string | null): Models.LicenseRepository {
  if (license === null) return new Models.LicenseRepository();
  if (/ (?:AND|OR|WITH) /.test(license)) {
    return new Models.LicenseRepository([new Models.LicenseExpression(license)]);
  }
  return new Models.LicenseRepository([new Models.SpdxLicense(license)]);
}
