import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { notice } from './campaign.ts';

const megabyte = 1024 * 1024;
const unmountTriesMax = 50;

/**
 * A file system of its own at `path`. Whatever a test does, `Symbol.dispose` leaves no mount and no loop device
 * behind, and so does the end of this process.
 */
export interface TestVolume extends Disposable {
  /** Where it is mounted. */
  readonly path: string;
  mount(): void;
  /** Waits a little for those who still use it. */
  unmount(): Promise<void>;
  /** Takes it out of the tree at once; who has files open keeps them (`umount -l`). */
  vanish(): void;
}

export const fileSystems = ['ext4', 'xfs'] as const;
export type FileSystem = (typeof fileSystems)[number];

/** A file system on a loop device. */
export interface LoopVolume extends TestVolume {
  /**
   * What was not synced is gone; every write from now on fails until it is unmounted and mounted again.
   * @returns the moment before it began, in milliseconds since the epoch
   */
  cutPower(): Promise<number>;
}

const open = new Set<Disposable>();
process.on('exit', () => {
  for (const volume of open) volume[Symbol.dispose]();
});

/** In memory, of so many megabytes. */
export function memoryVolume(path: string, megabytes: number): TestVolume {
  mkdirSync(path, { recursive: true });
  const volume: TestVolume = {
    path,
    mount: () => void run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'tmpfs', path]),
    unmount: () => unmountSoon(path),
    vanish: () => void run('umount', ['-l', path]),
    [Symbol.dispose]: () => {
      open.delete(volume);
      spawnSync('umount', ['-l', path]);
    },
  };
  volume.mount();
  open.add(volume);
  return volume;
}

/** On a disk image beside the mount point. */
export function loopVolume(path: string, megabytes: number, fileSystem: FileSystem = 'ext4'): LoopVolume {
  const image = `${path}.image`;
  mkdirSync(path, { recursive: true });
  writeFileSync(image, '');
  truncateSync(image, megabytes * megabyte);
  if (fileSystem === 'ext4') run('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=1,nodiscard', image]);
  else run('mkfs.xfs', ['-q', '-K', image]);
  const device = run('losetup', ['--find', '--show', image]);
  const volume: LoopVolume = {
    path,
    mount: () => void run('mount', [device, path]),
    unmount: () => unmountSoon(path),
    vanish: () => void run('umount', ['-l', path]),
    cutPower: async () => {
      const { stdout } = await promisify(execFile)(...powerCut(path));
      return Number(stdout);
    },
    [Symbol.dispose]: () => {
      open.delete(volume);
      spawnSync('umount', ['-l', path]);
      spawnSync('losetup', ['--detach', device]);
    },
  };
  volume.mount();
  open.add(volume);
  return volume;
}

/** The command that cuts the power of the volume mounted there, for whoever has to give it. */
export function powerCut(path: string): [string, string[]] {
  return ['perl', ['-e', shutdown, path]];
}

// EXT4_IOC_SHUTDOWN, which is XFS_IOC_GOINGDOWN too; flag 2: without writing the log first.
const shutdown =
  'use Time::HiRes "time"; sysopen(my $d, $ARGV[0], 0) or die $!; my $flag = pack("I", 2); print int(time() * 1000); ioctl($d, 0x8004587d, $flag) or die $!';

/** The smallest volume of each kind that its tools make. */
const megabytesMin = { memory: 1, ext4: 16, xfs: 320 };

/** Whether volumes of this kind can be made here; says so where not. */
export function canMake(kind: 'memory' | 'loop' | FileSystem, what: string): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-mount-'));
  try {
    if (kind === 'memory') {
      using _ = memoryVolume(join(directory, 'v'), megabytesMin.memory);
      return true;
    }
    const fileSystem = kind === 'loop' ? 'ext4' : kind;
    using volume = loopVolume(join(directory, 'v'), megabytesMin[fileSystem], fileSystem);
    run(...powerCut(volume.path));
    return true;
  } catch (error) {
    notice(what, `no such mounts can be made here (${error instanceof Error ? error.message : ''})`);
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function unmountSoon(path: string): Promise<void> {
  for (let tries = 1; spawnSync('umount', [path]).status !== 0; tries += 1) {
    if (tries === unmountTriesMax) throw new Error(`${path} stays in use`);
    await delay(100);
  }
}

function run(program: string, parameters: readonly string[]): string {
  return execFileSync(program, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}
