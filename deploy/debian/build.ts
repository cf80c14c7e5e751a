import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** The checkout. */
export const root = join(import.meta.dirname, '..', '..');
const here = import.meta.dirname;

interface PackageOptions {
  /** The executable, for the architecture. */
  readonly executable: string;
  /** As Debian calls it: `amd64`, `arm64`. */
  readonly architecture: string;
  /** Folder of the package. */
  readonly output: string;
  /** That of package.json where it is left out. */
  readonly version?: string | undefined;
  /** `xz` is small, and takes minutes; `gzip` is for those who wait. */
  readonly compression?: 'xz' | 'gzip' | undefined;
}

/** What lies where in the package, from where in `deploy/debian/`. Folders and files belong to root. */
const plainFiles: Readonly<Record<string, string>> = {
  'files/config.json': 'etc/gantry/config.json',
  'files/gantry.sysusers': 'usr/lib/sysusers.d/gantry.conf',
  'files/gantry.sysctl': 'usr/lib/sysctl.d/90-gantry.conf',
  'files/gantry.modules': 'usr/lib/modules-load.d/gantry.conf',
  'files/copyright': 'usr/share/doc/gantry/copyright',
  'files/lintian-overrides': 'usr/share/lintian/overrides/gantry',
  '../config.example.json': 'usr/share/doc/gantry/examples/config.json',
  '../gantry.schema.json': 'usr/share/doc/gantry/gantry.schema.json',
  '../refusals.md': 'usr/share/doc/gantry/refusals.md',
  '../conformance-statement.md': 'usr/share/doc/gantry/conformance-statement.md',
  '../monitoring/alerts.yaml': 'usr/share/doc/gantry/monitoring/alerts.yaml',
  '../monitoring/dashboard.json': 'usr/share/doc/gantry/monitoring/dashboard.json',
};

const maintainer = 'Gantry authors <gantry@localhost.localdomain>';
const depends = [
  'libc6 (>= 2.34)',
  'libgcc-s1',
  'libstdc++6 (>= 11)',
  'init-system-helpers (>= 1.54~)',
  // For what the units ask for, systemd-notify and systemd-sysusers.
  'systemd (>= 252)',
  'iproute2',
];

/**
 * Builds the package, the same bytes from the same input (SOURCE_DATE_EPOCH, or the time of the last commit).
 * @returns its path
 * @throws Error where the executable is missing or dpkg-deb fails
 */
export function buildPackage(options: PackageOptions): string {
  const { executable, architecture, output } = options;
  if (!existsSync(executable)) throw new Error(`${executable} is missing: "npm run package" makes it.`);
  const version = options.version ?? ownVersion();
  const folder = mkdtempSync(join(tmpdir(), 'gantry-deb-'));
  try {
    const epoch = sourceDate();
    layOut(folder, executable, version, epoch);
    writeControl(folder, version, architecture);
    settleTimes(folder, epoch);
    mkdirSync(output, { recursive: true });
    const path = join(output, `gantry_${version}_${architecture}.deb`);
    const how = options.compression === 'gzip' ? ['-Zgzip', '-z1'] : ['-Zxz', '-z6'];
    const pack = ['--root-owner-group', ...how, '--build', folder, path];
    const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
    execFileSync('dpkg-deb', pack, { stdio: ['ignore', 'ignore', 'inherit'], env });
    return path;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function layOut(folder: string, executable: string, version: string, epoch: number): void {
  const put = (to: string, content: string | Uint8Array, mode = 0o644): void => {
    const path = join(folder, to);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, mode);
  };
  mkdirSync(join(folder, 'usr/bin'), { recursive: true });
  copyFileSync(executable, join(folder, 'usr/bin/gantry'));
  chmodSync(join(folder, 'usr/bin/gantry'), 0o755);
  for (const [from, to] of Object.entries(plainFiles)) put(to, readFileSync(join(here, from)));
  for (const unit of readdirSync(join(here, 'units')))
    put(`lib/systemd/system/${unit}`, readFileSync(join(here, 'units', unit)));
  // The helper's unit is let write there; the folder has to be there before.
  mkdirSync(join(folder, 'etc/systemd/timesyncd.conf.d'), { recursive: true });
  const gzip = (text: string | Uint8Array): Buffer => gzipSync(text, { level: 9 });
  put('usr/share/man/man1/gantry.1.gz', gzip(readFileSync(join(here, 'files/gantry.1'))));
  put('usr/share/doc/gantry/README.md.gz', gzip(readFileSync(join(root, 'README.md'))));
  put('usr/share/doc/gantry/SECURITY.md.gz', gzip(readFileSync(join(root, 'SECURITY.md'))));
  put('usr/share/doc/gantry/NEWS.gz', gzip(readFileSync(join(root, 'CHANGELOG.md'))));
  put('usr/share/doc/gantry/changelog.gz', gzip(debianChangelog(version, epoch)));
}

function writeControl(folder: string, version: string, architecture: string): void {
  const control = join(folder, 'DEBIAN');
  const kibibytes = Math.ceil(filesUnder(folder).reduce((sum, path) => sum + statSync(path).size, 0) / 1024);
  const digests = execFileSync(
    'md5sum',
    filesUnder(folder).map((path) => path.slice(folder.length + 1)),
    {
      cwd: folder,
    },
  );
  mkdirSync(control, { mode: 0o755 });
  const fields = [
    'Package: gantry',
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${maintainer}`,
    `Installed-Size: ${kibibytes}`,
    `Depends: ${depends.join(', ')}`,
    'Suggests: systemd-resolved, chrony | systemd-timesyncd, rauc',
    'Section: net',
    'Priority: optional',
    'Description: edge gateway for DICOM, durable and encrypted',
    ' Receives studies from modalities by DICOM C-STORE, makes each object durable',
    ' and encrypted on its own disk before it answers Success, and forwards it to a',
    ' cloud archive by DICOMweb STOW-RS until the archive verifiably has it. One page',
    ' tells the person standing at the box whether it works and, if not, why.',
    '',
  ];
  writeFileSync(join(control, 'control'), fields.join('\n'));
  writeFileSync(join(control, 'conffiles'), '/etc/gantry/config.json\n');
  writeFileSync(join(control, 'md5sums'), digests.toString().replaceAll(/^(\S+ +)etc\/.*\n/gm, ''));
  for (const name of ['control', 'conffiles', 'md5sums']) chmodSync(join(control, name), 0o644);
  for (const script of readdirSync(join(here, 'scripts'))) {
    const text = readFileSync(join(here, 'scripts', script), 'utf8').replaceAll('@VERSION@', version);
    writeFileSync(join(control, script), text);
    chmodSync(join(control, script), 0o755);
  }
}

function debianChangelog(version: string, epoch: number): string {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  return `gantry (${version}) unstable; urgency=medium\n\n  * See NEWS.gz.\n\n -- ${maintainer}  ${date}\n`;
}

/** Files have the time of the source, folders too: otherwise no two packages are equal. */
function settleTimes(folder: string, epoch: number): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) chmodSync(path, 0o755);
    utimesSync(path, epoch, epoch);
  }
  chmodSync(folder, 0o755);
  utimesSync(folder, epoch, epoch);
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function ownVersion(): string {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}

/** Seconds since the epoch. */
function sourceDate(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined) return Number(given);
  return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' }));
}
