import { expect, test } from 'vitest';
import { Note } from '../../src/base/note.ts';
import { AddressMemory, addressNote } from '../../src/health/address-memory.ts';
import { isNear, readNetwork } from '../../src/health/network-facts.ts';
import { clockFacts } from '../../src/health/network-report.ts';
import type { NetworkSources } from '../../src/health/network-sources.ts';

const ipOutput = JSON.stringify([
  { ifname: 'lo', addr_info: [{ local: '127.0.0.1' }] },
  { ifname: 'eth0', addr_info: [{ local: '10.4.1.9', dynamic: true }, { local: 'fe80::1' }] },
  { ifname: 'eth1', addr_info: [{ local: '192.168.7.2' }] },
]);

const files: Readonly<Record<string, string>> = {
  '/sys/class/net/eth0/carrier': '1\n',
  '/sys/class/net/eth1/carrier': '1\n',
  '/sys/class/net/eth2/carrier': '0\n',
  '/proc/net/route': [
    'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT',
    'eth1\t00000000\t0107A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0',
    'eth0\t00000000\t0101040A\t0003\t0\t0\t100\t00000000\t0\t0\t0',
    'eth0\t0001040A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
  ].join('\n'),
  '/proc/net/arp': [
    'IP address       HW type     Flags       HW address            Mask     Device',
    '10.4.1.1         0x1         0x0         00:00:00:00:00:00     *        eth0',
  ].join('\n'),
  '/etc/resolv.conf': 'nameserver 127.0.0.53\nsearch example\n',
  '/run/systemd/resolve/resolv.conf': '# comment\nnameserver 10.4.1.2\nnameserver 10.4.1.3\n',
  '/etc/systemd/timesyncd.conf': '[Time]\n#NTP=\nNTP=ntp1.example ntp2.example\n',
  '/etc/chrony/chrony.conf': 'pool 2.debian.pool.ntp.org iburst\n',
};

const address = (text: string, internal = false) => ({
  address: text,
  cidr: `${text}/24`,
  family: 'IPv4',
  internal,
});

const sources: NetworkSources = {
  cards: () => ({
    lo: [address('127.0.0.1', true)],
    eth0: [address('10.4.1.9'), { ...address('fe80::1'), family: 'IPv6' }],
    eth1: [address('192.168.7.2')],
  }),
  read: async (path) => files[path] ?? null,
  list: async (path) => {
    if (path === '/sys/class/net') return ['eth0', 'eth1', 'eth2', 'lo', 'docker0'];
    return /eth\d\/device$/.test(path) ? ['vendor'] : [];
  },
  run: async (program) => (program === 'ip' ? ipOutput : 'yes\n'),
};

test('addresses, how they came, the way out, who is asked for names and time', async () => {
  expect(await readNetwork(sources)).toEqual({
    cards: [
      { name: 'eth0', link: true, addresses: [{ address: '10.4.1.9', prefix: 24, assigned: 'dhcp' }] },
      { name: 'eth1', link: true, addresses: [{ address: '192.168.7.2', prefix: 24, assigned: 'static' }] },
      { name: 'eth2', link: false, addresses: [] },
    ],
    gateway: { address: '10.4.1.1', answers: false },
    dnsServers: ['10.4.1.2', '10.4.1.3'],
    timeServers: ['ntp1.example', 'ntp2.example', '2.debian.pool.ntp.org'],
    clockSynchronised: true,
  });
});

test('a machine that says nothing is no error', async () => {
  const silent = { cards: () => ({}), read: async () => null, list: async () => [], run: async () => null };
  expect(await readNetwork(silent)).toEqual({
    cards: [],
    gateway: null,
    dnsServers: [],
    timeServers: [],
    clockSynchronised: null,
  });
  const garbled = { ...sources, run: async () => '{', read: async () => 'garbled\n\0' };
  expect((await readNetwork(garbled)).cards[0]?.addresses[0]?.assigned).toBe('unknown');
});

test('this machine can be looked at', async () => {
  const { cards } = await readNetwork();
  for (const { addresses } of cards)
    for (const one of addresses) expect(isNear(one.address, cards)).toBe(true);
});

class MemoryFile {
  bytes: Buffer | null = null;
  writes = 0;

  async read(): Promise<Buffer | null> {
    return this.bytes;
  }

  async write(bytes: Buffer): Promise<void> {
    this.bytes = bytes;
    this.writes += 1;
  }
}

test('a modality that calls an address this box no longer has is named, over a restart too', async () => {
  const file = new MemoryFile();
  const open = async () => new AddressMemory(await Note.open(file, addressNote, () => {}));
  const memory = await open();
  for (let count = 0; count < 5; count += 1) await memory.called('ct1', '10.4.1.9', 1);
  await memory.called('mr1', '10.4.1.10', 2);
  expect(file.writes).toBe(2);
  expect(memory.stale(['ct1', 'mr1'], ['10.4.1.9', '10.4.1.10'])).toEqual([]);

  const later = await open();
  expect(later.stale(['ct1', 'mr1', 'us1'], ['10.4.1.9', '10.4.1.77'])).toEqual([
    { modality: 'mr1', address: '10.4.1.10' },
  ]);
  expect(later.stale(['ct1'], ['10.4.1.10'])).toHaveLength(1);
  expect(later.stale(['ct1'], [])).toEqual([]);
  await later.called('mr1', '10.4.1.77', 3);
  expect(later.stale(['mr1'], ['10.4.1.9', '10.4.1.77'])).toEqual([]);
});

test('a note that is damaged counts as empty, and is told of', async () => {
  const file = new MemoryFile();
  file.bytes = Buffer.from('{"ct1":{"address":7}}');
  let told = 0;
  const note = await Note.open(file, addressNote, () => (told += 1));
  expect([note.value, told]).toEqual([{}, 1]);
});

test('a clock: nobody vouches for it, somebody does, somebody disagrees', () => {
  expect(clockFacts(5, null, { cloud: null })).toEqual({
    now: 5,
    synchronised: null,
    offsetSeconds: {},
    trusted: null,
  });
  expect(clockFacts(5, true, {}).trusted).toBe(true);
  expect(clockFacts(5, null, { cloud: 1400 })).toMatchObject({ offsetSeconds: { cloud: 0 }, trusted: true });
  expect(clockFacts(5, true, { cloud: -400_000 })).toMatchObject({
    offsetSeconds: { cloud: -400 },
    trusted: false,
  });
});
