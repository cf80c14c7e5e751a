import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './bundle.ts';

export const architectures = ['x64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

/** What binutils are called for each, on a machine of the other kind. */
const gnuNames = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as const;

/**
 * Copies the Node that the executable is made of, without its symbols: 15 MB that nobody reads.
 * It is a package of the lockfile; for another kind of machine npm fetches it, and its digest is compared.
 */
export function copyBaseNode(architecture: Architecture, to: string): void {
  const installed = join(root, 'node_modules', `node-linux-${architecture}`, 'bin', 'node');
  if (existsSync(installed)) copyFileSync(installed, to);
  else fetchNode(architecture, to);
  strip(architecture, to);
}

function fetchNode(architecture: Architecture, to: string): void {
  const name = `node-linux-${architecture}`;
  const { version, integrity } = lockedPackage(`node_modules/${name}`);
  const folder = mkdtempSync(join(tmpdir(), 'gantry-node-'));
  try {
    const pack = ['pack', `${name}@${version}`, '--prefer-offline', '--silent', '--pack-destination', folder];
    execFileSync('npm', pack, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    const archive = join(folder, `${name}-${version}.tgz`);
    const digest = createHash('sha512').update(readFileSync(archive)).digest('base64');
    if (`sha512-${digest}` !== integrity) throw new Error(`${name}@${version} is not what the lockfile says`);
    execFileSync('tar', ['-xzf', archive, '-C', folder, 'package/bin/node']);
    copyFileSync(join(folder, 'package', 'bin', 'node'), to);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface LockedPackage {
  readonly version: string;
  readonly integrity: string;
}

function lockedPackage(path: string): LockedPackage {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage | undefined>;
  };
  const found = lock.packages[path];
  if (found === undefined) throw new Error(`${path} is not in package-lock.json`);
  return found;
}

/** Before anything is put into it: afterwards the sections would be in the way. */
function strip(architecture: Architecture, file: string): void {
  const isOwn = process.arch === architecture;
  const tool = isOwn ? 'strip' : `${gnuNames[architecture]}-strip`;
  try {
    execFileSync(tool, ['--strip-all', file]);
  } catch (cause) {
    const debian = isOwn ? 'binutils' : `binutils-${gnuNames[architecture].replace('_', '-')}`;
    throw new Error(`${tool} failed. It is in the Debian package ${debian}.`, { cause });
  }
}
