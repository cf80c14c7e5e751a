import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { askHelper } from '../../src/helper/client.ts';
import { sameNetwork } from '../../src/helper/network-files.ts';
import { until } from '../fixtures/until.ts';
import { fixed, helperBench } from './helper-bench.ts';

const networkPath = 'etc/systemd/network/10-gantry-eth0.network';
const timePath = 'etc/systemd/timesyncd.conf.d/90-gantry.conf';
const refused = (code: string) => ({ name: 'GantryError', code });

describe('network', () => {
  test('is set, and stays once it is confirmed', async () => {
    const bench = await helperBench();
    const { change } = await bench.ask({ verb: 'network', do: 'set', settings: fixed });
    expect(bench.file(networkPath)).toContain(
      '[Match]\nName=eth0\n\n[Network]\nDHCP=no\nAddress=10.4.1.9/24\nGateway=10.4.1.1\nDNS=10.4.0.53\n',
    );
    expect(bench.file(timePath)).toContain('[Time]\nNTP=ntp.north.example\n');
    expect(bench.called()).toEqual(
      expect.arrayContaining([
        'networkctl reload',
        'networkctl reconfigure eth0',
        'systemctl restart systemd-timesyncd',
      ]),
    );
    const again = bench.ask({ verb: 'network', do: 'set', settings: fixed });
    await expect(again).rejects.toMatchObject(refused('HELPER_NETWORK_TRYING'));
    await bench.ask({ verb: 'network', do: 'confirm', change: change ?? '' });
    expect(await bench.startAnew()).toBe(false);
    expect(bench.file(networkPath)).toContain('Address=10.4.1.9/24');
    const late = bench.ask({ verb: 'network', do: 'revert', change: change ?? '' });
    await expect(late).rejects.toMatchObject(refused('HELPER_NETWORK_CHANGE'));
  });

  test('goes back by itself where nobody confirms it', async () => {
    const bench = await helperBench({ confirmMs: 50 });
    bench.put(networkPath, '[Network]\nDHCP=yes\n');
    await bench.ask({ verb: 'network', do: 'set', settings: fixed });
    await until(() => bench.file(networkPath) === '[Network]\nDHCP=yes\n' && bench.file(timePath) === null);
    await until(() => bench.called().filter((line) => line === 'networkctl reconfigure eth0').length === 2);
  });

  test('goes back at the next start where helper or machine ended meanwhile', async () => {
    const bench = await helperBench();
    bench.put(networkPath, '[Network]\nDHCP=yes\n');
    await bench.ask({ verb: 'network', do: 'set', settings: fixed });
    expect(await bench.startAnew()).toBe(true);
    expect(bench.file(networkPath)).toBe('[Network]\nDHCP=yes\n');
    expect(bench.file(timePath)).toBeNull();
    expect(await bench.startAnew()).toBe(false);
  });

  test('the helper does not end while it puts the network back', async () => {
    const bench = await helperBench({ confirmMs: 50 });
    const [seen, answered] = [bench.path('seen'), bench.path('answered')];
    // It hangs when it is told for the second time.
    const hang = `if test -e ${seen}; then until test -e ${answered}; do sleep 0.1; done; fi; touch ${seen}`;
    bench.program('networkctl', `case $1 in list) echo " 2 eth0 ether";; reload) ${hang};; esac`);
    await bench.ask({ verb: 'network', do: 'set', settings: fixed });
    await until(() => bench.file(timePath) === null);
    expect(bench.helper().isBusy).toBe(true);
    writeFileSync(answered, '');
    await until(() => !bench.helper().isBusy);
    expect(bench.called().filter((line) => line === 'networkctl reload')).toHaveLength(2);
  });

  test('is put back in its files where nobody can be told any more, as while the machine goes down', async () => {
    const bench = await helperBench();
    const { change } = await bench.ask({ verb: 'network', do: 'set', settings: fixed });
    bench.program('networkctl', 'exit 1');
    await bench.ask({ verb: 'network', do: 'revert', change: change ?? '' });
    expect(bench.file(networkPath)).toBeNull();
    expect(await bench.startAnew()).toBe(false);
  });

  test('goes back by a word, and at once where it cannot be put in use', async () => {
    const bench = await helperBench();
    const { change } = await bench.ask({
      verb: 'network',
      do: 'set',
      settings: { ...fixed, timeServers: [] },
    });
    await bench.ask({ verb: 'network', do: 'revert', change: change ?? '' });
    expect(bench.file(networkPath)).toBeNull();
    bench.program('networkctl', 'test "$1" = list && echo " 2 eth0 ether"; test "$1" != reload');
    const broken = bench.ask({ verb: 'network', do: 'set', settings: fixed });
    await expect(broken).rejects.toMatchObject({ name: 'GantryError' });
    expect(bench.file(networkPath)).toBeNull();
  });

  test.each([
    ['no address', { addresses: [], gateway: null }, 'HELPER_NETWORK_SETTINGS'],
    ['a gateway elsewhere', { gateway: '10.9.9.1' }, 'HELPER_NETWORK_SETTINGS'],
    ['a gateway of another kind', { gateway: 'fe80::1' }, 'HELPER_NETWORK_SETTINGS'],
    ['a card that is not there', { card: 'eth7' }, 'HELPER_NETWORK_CARD'],
    ['a file of somebody else', { card: '../../passwd' }, 'HELPER_BAD_REQUEST'],
    ['a line of its own', { dnsServers: ['10.0.0.1\n[Link]'] }, 'HELPER_BAD_REQUEST'],
    ['an address with a card', { addresses: ['fe80::1%eth0/64'] }, 'HELPER_BAD_REQUEST'],
    ['a time server with a blank', { timeServers: ['a b'] }, 'HELPER_BAD_REQUEST'],
  ])('%s: refused, and nothing is written', async (_, change, code) => {
    const bench = await helperBench();
    const settings = { ...fixed, ...change };
    await expect(bench.ask({ verb: 'network', do: 'set', settings })).rejects.toMatchObject(refused(code));
    expect(bench.file(networkPath)).toBeNull();
    expect(bench.file(timePath)).toBeNull();
  });

  test('of another kind of machine is left alone', async () => {
    const bench = await helperBench();
    bench.program('systemctl', 'exit 3');
    const asked = bench.ask({ verb: 'network', do: 'set', settings: fixed });
    await expect(asked).rejects.toMatchObject(refused('HELPER_NETWORK_UNMANAGED'));
  });

  test.each([
    ['10.4.1.9/24', '10.4.1.1', true],
    ['10.4.1.9/25', '10.4.1.129', false],
    ['fd00:1::9/64', 'fd00:1::1', true],
    ['fd00:1::9/64', 'fd00:2::1', false],
    ['fd00::ffff:10.4.1.9/120', 'fd00::ffff:10.4.1.1', true],
    ['10.4.1.9/24', '::1', false],
  ])('%s has %s in its network: %s', (network, address, expected) => {
    expect(sameNetwork(network, address)).toBe(expected);
  });
});

test('a time zone is one that the machine knows', async () => {
  const bench = await helperBench();
  bench.put('usr/share/zoneinfo/Europe/Berlin', '');
  await bench.ask({ verb: 'time-zone', timeZone: 'Europe/Berlin' });
  expect(bench.called()).toEqual(['timedatectl set-timezone Europe/Berlin']);
  for (const [timeZone, code] of [
    ['Europe/Atlantis', 'HELPER_TIME_ZONE'],
    ['../../etc/passwd', 'HELPER_BAD_REQUEST'],
    ['--help', 'HELPER_BAD_REQUEST'],
  ] as const) {
    await expect(bench.ask({ verb: 'time-zone', timeZone })).rejects.toMatchObject(refused(code));
  }
});

test('a reboot is asked for, at a bounded pace that a restart does not reset', async () => {
  const bench = await helperBench();
  for (let turn = 0; turn < 4; turn += 1) await bench.ask({ verb: 'reboot' });
  await bench.startAnew();
  await expect(bench.ask({ verb: 'reboot' })).rejects.toMatchObject(refused('HELPER_TOO_OFTEN'));
  expect(bench.called()).toEqual(Array(4).fill('systemctl --no-block reboot'));
});

test('an update is installed only whole, and only from its folder', async () => {
  const bench = await helperBench();
  const bytes = Buffer.from('bundle');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  mkdirSync(bench.path('updates'));
  writeFileSync(bench.path('updates/v2.raucb'), bytes);
  writeFileSync(bench.path('elsewhere'), bytes);
  symlinkSync(bench.path('elsewhere'), bench.path('updates/link.raucb'));
  await bench.ask({ verb: 'install', bundle: 'v2.raucb', sha256 });
  expect(bench.called()).toEqual([`rauc install ${bench.path('updates/v2.raucb')}`]);
  for (const [bundle, digest, code] of [
    ['v2.raucb', '0'.repeat(64), 'HELPER_BUNDLE_DIGEST'],
    ['v3.raucb', sha256, 'HELPER_BUNDLE_MISSING'],
    ['link.raucb', sha256, 'HELPER_BUNDLE_MISSING'],
    ['../elsewhere.raucb', sha256, 'HELPER_BAD_REQUEST'],
  ] as const) {
    const asked = bench.ask({ verb: 'install', bundle, sha256: digest });
    await expect(asked, bundle).rejects.toMatchObject(refused(code));
  }
  bench.program('rauc', 'echo "signature verification failed" >&2; exit 1');
  await expect(bench.ask({ verb: 'install', bundle: 'v2.raucb', sha256 })).rejects.toMatchObject({
    code: 'HELPER_PROGRAM',
    message: 'rauc failed: signature verification failed.',
  });
});

test('a light blinks and is then as it was', async () => {
  const bench = await helperBench();
  await expect(bench.ask({ verb: 'blink', seconds: 1 })).rejects.toMatchObject(refused('HELPER_NO_LIGHT'));
  for (const name of ['disk0', 'status:green']) {
    bench.put(`sys/class/leds/${name}/trigger`, 'none [heartbeat] timer');
    bench.put(`sys/class/leds/${name}/brightness`, '0\n');
    bench.put(`sys/class/leds/${name}/max_brightness`, '255\n');
  }
  await bench.ask({ verb: 'blink', seconds: 120 });
  await expect(bench.ask({ verb: 'blink', seconds: 1 })).rejects.toMatchObject(refused('HELPER_BUSY'));
  for (const level of ['0', '255', '0']) {
    await until(() => bench.file('sys/class/leds/status:green/brightness') === level);
  }
  await bench.helper().stop();
  expect(bench.file('sys/class/leds/status:green/brightness')).toBe('0');
  expect(bench.file('sys/class/leds/status:green/trigger')).toBe('heartbeat');
  expect(bench.file('sys/class/leds/disk0/brightness')).toBe('0\n');
});

test('what was asked, by whom, and what became of it is in a record of its own', async () => {
  const bench = await helperBench();
  await bench.ask({ verb: 'reboot' });
  await bench.ask({ verb: 'blink', seconds: 1 }).catch(() => undefined);
  expect(bench.audit().map(({ by, outcome, request }) => [by, request.verb, outcome])).toEqual([
    ['kim', 'reboot', 'asked'],
    ['kim', 'reboot', 'done'],
    ['kim', 'blink', 'asked'],
    ['kim', 'blink', 'HELPER_NO_LIGHT'],
  ]);
});

test('where the record cannot be written nothing is done', async () => {
  const bench = await helperBench();
  writeFileSync(bench.path('log'), '');
  await expect(bench.ask({ verb: 'reboot' })).rejects.toMatchObject(refused('HELPER_AUDIT'));
  expect(bench.called()).toEqual([]);
});

test.each([
  ['no JSON', 'reboot\n'],
  ['no verb', '{"by":"kim","request":{"verb":"shell","command":"id"}}\n'],
  ['more than is asked for', '{"by":"kim","request":{"verb":"reboot","force":true}}\n'],
])('%s is answered with why', async (_, line) => {
  const bench = await helperBench();
  const socket = connect({ path: bench.socketPath });
  socket.write(line);
  expect(JSON.parse(await textOf(socket))).toMatchObject({ ok: false, code: 'HELPER_BAD_REQUEST' });
  expect(bench.called()).toEqual([]);
});

test('a request without end is cut off', async () => {
  const bench = await helperBench();
  const socket = connect({ path: bench.socketPath });
  socket.on('error', () => undefined);
  socket.write('x'.repeat(100_000));
  await until(() => socket.destroyed);
});

test('where no helper is, the gateway says so', async () => {
  const call = { by: 'kim', request: { verb: 'reboot' } } as const;
  await expect(askHelper(call, { socketPath: '/nowhere/helper.sock' })).rejects.toMatchObject(
    refused('HELPER_AWAY'),
  );
});
