import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pkg from 'pkg/lib-es5/sea.js';
import { leanNodeOptions } from '../../src/cli/lean-process.ts';
import { type Architecture, copyBaseNode } from './base-node.ts';

/** What goes into every executable, whatever it runs on. */
export interface Contents {
  readonly main: Uint8Array;
  /** By their names inside. */
  readonly assets: ReadonlyMap<string, Uint8Array>;
}

/** Makes the executable: Node with our script and files inside. Nothing is downloaded but what the lockfile names. */
export async function makeExecutable(
  architecture: Architecture,
  { main, assets }: Contents,
  output: string,
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'gantry-package-'));
  const script = scriptFolder(main);
  try {
    const base = join(work, 'node');
    copyBaseNode(architecture, base);
    const seaConfig = {
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      // It would hold for one kind of processor only, and differ from build to build.
      useCodeCache: false,
      // Packages use what Node has deprecated; in a checkout Node does not speak of what lies in node_modules.
      execArgv: [...leanNodeOptions, '--no-deprecation', '--disable-sigusr1'],
      // Neither NODE_OPTIONS nor arguments can load other code, or open a debugger on patients' data.
      execArgvExtension: 'none',
      assets: writeAssets(assets, join(work, 'assets')),
    };
    // One that runs just now cannot be written over.
    rmSync(output, { force: true });
    await pkg.default(join(script, 'gantry.js'), {
      nodePath: base,
      // Of the same version: lays out the files for a processor that this machine has not.
      useLocalNode: true,
      targets: [{ platform: 'linux', arch: architecture, nodeRange: 'node24', output }],
      seaConfig,
    });
  } finally {
    for (const folder of [work, script]) rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The path of the main script goes into the executable: it is the same on every machine, and of its own for every
 * content, so that two builds of different sources can run at once.
 */
function scriptFolder(main: Uint8Array): string {
  const folder = `/tmp/gantry-${createHash('sha256').update(main).digest('hex').slice(0, 16)}`;
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (cause) {
    throw new Error(`The same is being built just now, or such a build was cut off: remove ${folder}.`, {
      cause,
    });
  }
  writeFileSync(join(folder, 'gantry.js'), main);
  return folder;
}

/** @returns their paths by their names inside, in an order that is the same on every machine */
function writeAssets(assets: ReadonlyMap<string, Uint8Array>, folder: string): Record<string, string> {
  const byName = [...assets].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const paths = byName.map(([name, bytes]) => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    return [name, path] as const;
  });
  return Object.fromEntries(paths);
}
