import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Images {
  /** The disk image of version 1.0.0. */
  readonly disk: string;
  /** A bundle of version 2.0.0 that works. */
  readonly good: string;
  /** A bundle of version 3.0.0 whose gateway ends at once. */
  readonly broken: string;
  /** Development keys: what boxes of these images trust. */
  readonly keys: string;
}

const cache = process.env['GANTRY_FIRMWARE_CACHE'] ?? '/var/tmp/gantry-firmware';
const root = join(import.meta.dirname, '..', '..');

/** Builds them once for a checkout's executable; `GANTRY_FIRMWARE_KEEP=1` takes those that are there already. */
export function buildImages(): Images {
  const out = join(cache, 'test');
  const gantry = process.env['GANTRY_BIN'] ?? join(root, 'dist', 'gantry-linux-x64');
  if (!existsSync(gantry)) throw new Error(`There is no ${gantry}: run "npm run package".`);
  mkdirSync(out, { recursive: true });
  const build = (version: string, ...more: string[]): void => {
    const file = join(out, `gantry-${version}.raucb`);
    if (process.env['GANTRY_FIRMWARE_KEEP'] === '1' && existsSync(file)) return;
    const args = ['--version', version, '--gantry', gantry, '--out', out, '--cache', cache, ...more];
    execFileSync(join(root, 'firmware', 'build.sh'), args, { stdio: ['ignore', 'ignore', 'inherit'] });
  };
  build('1.0.0');
  build('2.0.0', '--no-disk');
  build('3.0.0', '--no-disk', '--overlay', brokenOverlay());
  return {
    disk: join(out, 'gantry-1.0.0.img'),
    good: join(out, 'gantry-2.0.0.raucb'),
    broken: join(out, 'gantry-3.0.0.raucb'),
    keys: join(cache, 'development-keys'),
  };
}

/** Files that replace the gateway by a program that ends at once. */
function brokenOverlay(): string {
  const overlay = mkdtempSync(join(cache, 'broken-'));
  const program = join(overlay, 'usr', 'bin', 'gantry');
  mkdirSync(join(overlay, 'usr', 'bin'), { recursive: true });
  writeFileSync(program, '#!/bin/sh\nexit 1\n');
  chmodSync(program, 0o755);
  return overlay;
}
