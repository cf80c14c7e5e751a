import { BlockList, isIP } from 'node:net';
import { type NetworkSources, networkSources } from './network-sources.ts';

export interface NetworkCard {
  readonly name: string;
  /** Whether a cable (or a radio) carries something. */
  readonly link: boolean;
  /** Without loopback and link-local ones. */
  readonly addresses: readonly {
    readonly address: string;
    /** Length of the network part in bits. */
    readonly prefix: number;
    /** `unknown` where the system does not say. */
    readonly assigned: 'dhcp' | 'static' | 'unknown';
  }[];
}

/** How this box is connected, as far as it can tell. */
export interface NetworkFacts {
  readonly cards: readonly NetworkCard[];
  readonly gateway: {
    readonly address: string;
    /** Whether it is there, by the neighbour table; null where nothing was sent to it lately. */
    readonly answers: boolean | null;
  } | null;
  readonly dnsServers: readonly string[];
  readonly timeServers: readonly string[];
  /** Whether the system holds its clock for set by a time server; null where it does not say. */
  readonly clockSynchronised: boolean | null;
}

/** Looks at the network of this machine. Never throws; what cannot be told is empty, unknown or null. */
export async function readNetwork(sources: NetworkSources = networkSources): Promise<NetworkFacts> {
  const [cards, gateway, dnsServers, timeServers, clockSynchronised] = await Promise.all([
    readCards(sources),
    readGateway(sources),
    readDnsServers(sources),
    readTimeServers(sources),
    readClockState(sources),
  ]);
  return { cards, gateway, dnsServers, timeServers, clockSynchronised };
}

/** Whether an address is on a network this box is part of, so that no gateway is needed for it. */
export function isNear(address: string, cards: readonly NetworkCard[]): boolean {
  const family = (text: string) => (isIP(text) === 6 ? 'ipv6' : 'ipv4');
  const near = new BlockList();
  near.addSubnet('127.0.0.0', 8, 'ipv4');
  near.addAddress('::1', 'ipv6');
  for (const { addresses } of cards)
    for (const one of addresses) near.addSubnet(one.address, one.prefix, family(one.address));
  return isIP(address) !== 0 && near.check(address, family(address));
}

export function isLoopback(address: string): boolean {
  return isNear(address, []);
}

async function readCards(sources: NetworkSources): Promise<NetworkCard[]> {
  const listed = sources.cards();
  const assigned = assignments(await sources.run('ip', ['-json', 'address', 'show']));
  // A card without a cable has no address, and is just the one to be told of.
  const names = new Set([...Object.keys(listed), ...(await physicalCards(sources))]);
  const cards = [...names].map(async (name): Promise<NetworkCard> => {
    const addresses = (listed[name] ?? [])
      .filter(({ internal, address }) => !internal && !/^(?:fe80:|169\.254\.)/i.test(address))
      .map(({ address, cidr, family }) => ({
        address,
        prefix: Number(cidr?.split('/')[1] ?? (family === 'IPv6' ? 128 : 32)),
        assigned: assigned.get(address) ?? ('unknown' as const),
      }));
    const carrier = (await sources.read(`/sys/class/net/${name}/carrier`))?.trim();
    return { name, link: carrier === undefined ? addresses.length > 0 : carrier === '1', addresses };
  });
  const all = await Promise.all(cards);
  return all.filter(({ name }) => (listed[name] ?? []).every(({ internal }) => !internal));
}

/** Those with a device behind them: not bridges, tunnels and the like. */
async function physicalCards(sources: NetworkSources): Promise<string[]> {
  const names = await sources.list('/sys/class/net');
  const isPhysical = await Promise.all(
    names.map(async (name) => (await sources.list(`/sys/class/net/${name}/device`)).length > 0),
  );
  return names.filter((_, index) => isPhysical[index]);
}

/** The kernel knows how long an address may be used: one that was lent ends, one that was set does not. */
function assignments(ipOutput: string | null): Map<string, 'dhcp' | 'static'> {
  const found = new Map<string, 'dhcp' | 'static'>();
  interface Entry {
    addr_info?: { local?: string; dynamic?: boolean }[];
  }
  for (const { addr_info: list = [] } of parseJson<Entry[]>(ipOutput) ?? [])
    for (const { local, dynamic } of list)
      if (local !== undefined) found.set(local, dynamic === true ? 'dhcp' : 'static');
  return found;
}

function parseJson<T>(text: string | null): T | null {
  try {
    return text === null ? null : (JSON.parse(text) as T);
  } catch {
    return null;
  }
}

/** The default route of IPv4, and whether that neighbour is there (proc(5)). */
async function readGateway(sources: NetworkSources): Promise<NetworkFacts['gateway']> {
  const rows = linesOf(await sources.read('/proc/net/route')).slice(1);
  const up = 0x1;
  const viaGateway = 0x2;
  const wanted = up | viaGateway;
  const route = rows
    .map((line) => line.trim().split(/\s+/))
    .filter(([, destination, , flags]) => {
      return destination === '00000000' && (Number.parseInt(flags ?? '0', 16) & wanted) === wanted;
    })
    .toSorted((a, b) => Number(a[6]) - Number(b[6]))[0];
  if (route === undefined) return null;
  // Little-endian on every machine Gantry runs on.
  const address = [...Buffer.from(route[2] ?? '', 'hex')].toReversed().join('.');
  const neighbour = linesOf(await sources.read('/proc/net/arp'))
    .map((line) => line.trim().split(/\s+/))
    .find(([ip]) => ip === address);
  const complete = 0x2;
  const answers = neighbour === undefined ? null : (Number(neighbour[2]) & complete) !== 0;
  return { address, answers };
}

async function readDnsServers(sources: NetworkSources): Promise<string[]> {
  const own = nameservers(await sources.read('/etc/resolv.conf'));
  // systemd-resolved answers on this address itself, and notes whom it asks.
  if (!own.includes('127.0.0.53')) return own;
  const upstream = nameservers(await sources.read('/run/systemd/resolve/resolv.conf'));
  return upstream.length > 0 ? upstream : own;
}

function nameservers(text: string | null): string[] {
  return linesOf(text).flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
}

/** By the files of systemd-timesyncd, chrony and ntpsec, whichever are there. */
async function readTimeServers(sources: NetworkSources): Promise<string[]> {
  const files = [
    '/etc/systemd/timesyncd.conf',
    ...(await filesIn(sources, '/etc/systemd/timesyncd.conf.d')),
    '/run/systemd/timesync/synchronized.conf',
    '/etc/chrony/chrony.conf',
    ...(await filesIn(sources, '/etc/chrony/sources.d')),
    ...(await filesIn(sources, '/etc/chrony/conf.d')),
    '/etc/ntpsec/ntp.conf',
    '/etc/ntp.conf',
  ];
  const texts = await Promise.all(files.map((file) => sources.read(file)));
  const servers = texts.flatMap(linesOf).flatMap((line) => {
    const timesyncd = /^\s*NTP\s*=\s*(.+)$/.exec(line)?.[1]?.trim().split(/\s+/);
    const others = /^\s*(?:server|pool|peer)\s+(\S+)/.exec(line)?.[1];
    return timesyncd ?? others ?? [];
  });
  return [...new Set(servers)];
}

async function filesIn(sources: NetworkSources, folder: string): Promise<string[]> {
  const names = await sources.list(folder);
  return names.filter((name) => /\.(?:conf|sources)$/.test(name)).map((name) => `${folder}/${name}`);
}

async function readClockState(sources: NetworkSources): Promise<boolean | null> {
  const said = await sources.run('timedatectl', ['show', '--property=NTPSynchronized', '--value']);
  const word = said?.trim();
  return word === 'yes' ? true : word === 'no' ? false : null;
}

function linesOf(text: string | null): string[] {
  return text === null ? [] : text.split('\n');
}
