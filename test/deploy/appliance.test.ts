import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPackage, root } from '../../deploy/debian/build.ts';
import { askHelper } from '../../src/helper/client.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import type { HelperRequest } from '../../src/helper/verbs.ts';
import type { StatusReport } from '../../src/health/status.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { Machine, machineFault } from '../fixtures/machine.ts';
import { until } from '../fixtures/until.ts';

/* The Debian package on a machine of its own, from its installation to its end. `npm run test:appliance`. */

const executable = join(root, 'dist', 'gantry-linux-x64');
const asked = process.env['GANTRY_APPLIANCE'] !== undefined;
const fault = machineFault() ?? (existsSync(executable) ? null : `${executable} (npm run package)`);
const runs = asked && fault === null;
if (asked && fault !== null) throw new Error(`npm run test:appliance needs ${fault}`);
if (!asked) process.stderr.write('SKIPPED: the Debian package on a machine: npm run test:appliance\n');

const config = {
  modalities: { ct1: { aeTitle: 'CT1' } },
  spool: { reserveBytes: 50_000_000 },
  destinations: { archive: { type: 'stow', url: 'http://127.0.0.1:8042/dicom-web/studies' } },
};
const images = 3;
const data = '/var/lib/gantry';

let folder: TemporaryDirectory;
let machine: Machine;
let packages: { first: string; second: string };

/** As the package's user. */
const gantry = (...args: string[]) =>
  machine.run('runuser', '-u', 'gantry', '--', 'gantry', ...args, '--data', data);
const must = (...command: string[]): string => {
  const { code, stdout, stderr } = machine.run(...command);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
};
const status = (): StatusReport => JSON.parse(gantry('status', '--json').stdout) as StatusReport;
const ask = (request: HelperRequest) =>
  askHelper({ by: 'kim', request }, { socketPath: machine.path('/run/gantry-helper/helper.sock') });
const property = (name: string): string =>
  must('systemctl', 'show', '--value', `--property=${name}`, 'gantry.service').trim();
const addresses = (): string => must('ip', '-br', 'address', 'show', 'host0');

describe.skipIf(!runs)('the Debian package', { timeout: 300_000 }, () => {
  beforeAll(async () => {
    folder = temporaryDirectory();
    const build = (version: string) =>
      buildPackage({ executable, architecture: 'amd64', output: folder.path, version, compression: 'gzip' });
    packages = { first: build('0.1.0'), second: build('0.2.0') };
    machine = await Machine.boot({
      'etc/systemd/network/20-host0.network': '[Match]\nName=host0\n[Network]\nAddress=10.99.7.9/24\n',
    });
    must('systemctl', 'enable', '--now', 'systemd-networkd');
    machine.put(packages.first, '/root/first.deb');
    machine.put(packages.second, '/root/second.deb');
  }, 600_000);
  afterAll(async () => {
    await machine[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  }, 120_000);

  test('lintian finds nothing but what an override explains', () => {
    const {
      status: code,
      stdout,
      stderr,
    } = spawnSync('lintian', ['--fail-on', 'error,warning', packages.first], {
      encoding: 'utf8',
    });
    expect({ code, stdout, stderr: stderr.replace(/^running with root privileges.*\n/, '') }).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  test('is installed: runs as a user of its own, ready once it has answered itself', () => {
    must('dpkg', '-i', '/root/first.deb');
    expect(property('ActiveState')).toBe('active');
    expect(property('User')).toBe('gantry');
    expect(gantry('self-check')).toMatchObject({ code: 0 });
    expect(must('stat', '-c', '%U:%G %a', data, '/etc/gantry/config.json')).toBe(
      'gantry:gantry 700\nroot:gantry 640\n',
    );
    expect(must('stat', '-c', '%U:%G %a', '/run/gantry-helper/helper.sock')).toBe('root:gantry 660\n');
  });

  test.each(['gantry.service', 'gantry-helper.service', 'gantry-helper-revert.service'])(
    '%s may do little: an exposure of 2.0 at most',
    (unit) => {
      const words = machine.run('systemd-analyze', 'security', '--no-pager', unit).stdout;
      const level = Number(/exposure level for \S+ (\d+\.\d)/.exec(words)?.[1]);
      expect(level).toBeLessThanOrEqual(2);
    },
  );

  test('takes images while the archive is away', async () => {
    machine.write('etc/gantry/config.json', JSON.stringify(config));
    must('systemctl', 'restart', 'gantry');
    const paths = Array.from({ length: images }, (_, seed) => {
      const path = join(folder.path, `${seed}.dcm`);
      const made = ctSlice({ rows: 16, columns: 16, seed });
      writeFileSync(path, Buffer.concat([part10Header(made), made.dataSet]));
      return path;
    });
    const sent = machine.inNetwork(
      'storescu',
      '-aet',
      'CT1',
      '-aec',
      'GANTRY',
      '127.0.0.1',
      '11112',
      ...paths,
    );
    expect(sent).toMatchObject({ code: 0 });
    await until(() => status().queue.instances === images);
  });

  test('a gateway that hangs is started anew by the watchdog', async () => {
    must('mkdir', '-p', '/etc/systemd/system/gantry.service.d');
    machine.write('etc/systemd/system/gantry.service.d/soon.conf', '[Service]\nWatchdogSec=6\n');
    must('systemctl', 'daemon-reload');
    must('systemctl', 'restart', 'gantry');
    const pid = property('MainPID');
    must('kill', '-STOP', pid);
    await until(() => property('MainPID') !== pid && property('ActiveState') === 'active', 120_000);
    expect(Number(property('NRestarts'))).toBeGreaterThan(0);
    expect(must('journalctl', '-u', 'gantry', '--no-pager')).toContain('Watchdog timeout');
    expect(status().queue.instances).toBe(images);
    must('rm', '/etc/systemd/system/gantry.service.d/soon.conf');
    must('systemctl', 'daemon-reload');
  });

  test('the root key as a credential, and back', () => {
    const key = `${data}/keys/root.key`;
    must('mkdir', '-p', '/etc/credstore.encrypted');
    must(
      'systemd-creds',
      'encrypt',
      '--name=gantry-root-key',
      key,
      '/etc/credstore.encrypted/gantry-root-key',
    );
    must('mv', key, '/root/root.key');
    must('systemctl', 'restart', 'gantry');
    expect(status()).toMatchObject({
      box: { keys: { rootKey: 'credential' } },
      queue: { instances: images },
    });
    must('mv', '/root/root.key', key);
    must('rm', '/etc/credstore.encrypted/gantry-root-key');
    must('systemctl', 'restart', 'gantry');
    expect(status()).toMatchObject({ box: { keys: { rootKey: 'file' } }, queue: { instances: images } });
  });

  test('an upgrade keeps queue and settings, and runs the new version', () => {
    const before = property('MainPID');
    must('dpkg', '-i', '/root/second.deb');
    expect(property('MainPID')).not.toBe(before);
    expect(property('ActiveState')).toBe('active');
    expect(status().queue.instances).toBe(images);
    expect(must('cat', '/etc/gantry/config.json')).toBe(JSON.stringify(config));
  });

  test('an older version is refused, and the newer one runs on', () => {
    const before = property('MainPID');
    const { code, stderr } = machine.run('dpkg', '-i', '/root/first.deb');
    expect(code).not.toBe(0);
    expect(stderr).toContain('It may not be able to read what 0.2.0 stored');
    expect(must('dpkg-query', '-W', '-f=${Version} ${db:Status-Status}', 'gantry')).toBe('0.2.0 installed');
    expect(property('ActiveState')).toBe('active');
    expect(property('MainPID')).not.toBe('0');
    expect(before).not.toBe('0');
    expect(status().queue.instances).toBe(images);
  });

  test('the helper changes the network, and puts it back where nobody confirms', async () => {
    await until(() => addresses().includes('10.99.7.9/24'));
    const settings = {
      card: 'host0',
      dhcp: false,
      addresses: ['10.99.8.2/24'],
      gateway: '10.99.8.1',
      dnsServers: ['10.99.8.53'],
      timeServers: [],
    };
    await ask({ verb: 'network', do: 'set', settings });
    await until(() => addresses().includes('10.99.8.2/24'));
    await until(() => !addresses().includes('10.99.8.2/24') && addresses().includes('10.99.7.9/24'), 90_000);
    const { change } = await ask({ verb: 'network', do: 'set', settings });
    await ask({ verb: 'network', do: 'confirm', change: change ?? '' });
    await until(() => addresses().includes('10.99.8.2/24'));
    // Over a restart of networkd it is still there: it is in its files.
    must('systemctl', 'restart', 'systemd-networkd');
    await until(() => addresses().includes('10.99.8.2/24'));
  });

  test('the helper sets the time zone, reboots, and the boot puts back what was not confirmed', async () => {
    await ask({ verb: 'time-zone', timeZone: 'Europe/Berlin' });
    expect(must('readlink', '/etc/localtime')).toContain('Europe/Berlin');
    await expect(ask({ verb: 'blink', seconds: 1 })).rejects.toMatchObject({ name: 'GantryError' });
    const settings = {
      card: 'host0',
      dhcp: false,
      addresses: ['10.99.9.2/24'],
      gateway: null,
      dnsServers: [],
      timeServers: [],
    };
    await ask({ verb: 'network', do: 'set', settings });
    await ask({ verb: 'reboot' });
    await until(() => machine.boots === 2, 120_000);
    await machine.untilBooted();
    await until(() => addresses().includes('10.99.8.2/24'));
    expect(addresses()).not.toContain('10.99.9.2');
    const record = must('cat', '/var/log/gantry-helper/audit.log');
    // Three times the network and once its confirmation, the time zone, the reboot.
    expect(record.match(/"outcome":"done"/g)).toHaveLength(6);
    await until(() => property('ActiveState') === 'active');
    expect(status().queue.instances).toBe(images);
  });

  test('all images arrive once the archive is there', async () => {
    must(
      'systemd-run',
      '--unit=archive',
      'gantry',
      'sandbox-archive',
      '--data',
      '/root/archive',
      '--port',
      '8042',
    );
    gantry('queue', 'retry');
    await until(() => status().totals.verified === images, 120_000);
  });

  test('is removed and purged, and the images stay; a wipe deletes them', () => {
    must('dpkg', '--remove', 'gantry');
    expect(machine.run('systemctl', 'is-active', 'gantry').stdout.trim()).not.toBe('active');
    const { stderr } = machine.run('dpkg', '--purge', 'gantry');
    expect(stderr).toContain('/var/lib/gantry is kept');
    expect(must('ls', data)).toContain('ledger.db');
    expect(machine.run('ls', '/etc/gantry', '/var/lib/gantry-helper').code).not.toBe(0);
    must('dpkg', '-i', '/root/second.deb');
    expect(status().totals.received).toBe(images);
    must('systemctl', 'stop', 'gantry');
    const wiped = machine.feed('WIPE\n', 'runuser', '-u', 'gantry', '--', 'gantry', 'wipe', '--data', data);
    expect(wiped).toMatchObject({ code: 0 });
    expect(must('ls', data)).not.toMatch(/ledger|spool|keys/);
  });
});
