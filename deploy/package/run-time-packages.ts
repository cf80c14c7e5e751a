import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from './base-node.ts';
import { root } from './bundle.ts';

/** A package the product is made of, as the lockfile has it. */
export interface RunTimePackage {
  /** In the checkout, e.g. `node_modules/pino`; what `dependencies` point at. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** SPDX expression; null where the package names none. */
  readonly license: string | null;
  /** SHA-512 in base64. */
  readonly sha512: string;
  /** Paths of the packages it loads. */
  readonly dependencies: readonly string[];
}

interface LockEntry {
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface RunTimeTree {
  readonly packages: readonly RunTimePackage[];
  /** Paths of those that our own code names. */
  readonly named: readonly string[];
}

/** All packages of the lockfile that are not for development only, with the Node of this architecture. */
export function runTimePackages(architecture: Architecture): RunTimeTree {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, LockEntry>>;
  };
  const isOurs = (path: string): boolean =>
    lock.packages[path]?.dev !== true &&
    (!path.startsWith('node_modules/node-linux-') || path.endsWith(`-${architecture}`));
  const dependenciesOf = (path: string): string[] => {
    const { dependencies, optionalDependencies } = lock.packages[path] as LockEntry;
    return Object.keys({ ...dependencies, ...optionalDependencies }).flatMap((name) => {
      const found = lookUp(name, path, (candidate) => candidate in lock.packages);
      return found !== null && isOurs(found) ? [found] : [];
    });
  };
  const packages = Object.entries(lock.packages)
    .filter(([path]) => path !== '' && isOurs(path))
    .map(([path, { version, license = null, integrity = '' }]) => ({
      path,
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
      license: license ?? oldStyleLicense(path),
      sha512: integrity.replace(/^sha512-/, ''),
      dependencies: dependenciesOf(path),
    }));
  return { packages, named: dependenciesOf('') };
}

/** Of packages that name it as one did before 2014, which npm passes over. */
function oldStyleLicense(path: string): string | null {
  const { licenses = [] } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as {
    licenses?: readonly { readonly type: string }[];
  };
  return licenses.length === 0 ? null : licenses.map(({ type }) => type).join(' AND ');
}

/** As Node finds a package: beside the one that wants it, then further up. */
function lookUp(name: string, from: string, exists: (path: string) => boolean): string | null {
  for (let at = from; ; at = at.slice(0, Math.max(at.lastIndexOf('/node_modules/'), 0))) {
    const candidate = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (exists(candidate)) return candidate;
    if (at === '') return null;
  }
}
