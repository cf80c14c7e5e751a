import { isIP } from 'node:net';
import { join } from 'node:path';
import type { NetworkSettings } from './verbs.ts';

/** A file as it is to be; null: it is not to be there. */
export interface FileChange {
  readonly path: string;
  readonly text: string | null;
}

const head = '# Written by the Gantry helper; changed on the page of the box.\n';

/** `systemd.network(5)`: the first file that matches a card counts, in order of names. */
export function networkFile(root: string, settings: NetworkSettings): FileChange {
  const { card, dhcp, addresses, gateway, dnsServers } = settings;
  const lines = [
    `${head}[Match]`,
    `Name=${card}`,
    '',
    '[Network]',
    `DHCP=${dhcp ? 'yes' : 'no'}`,
    ...addresses.map((address) => `Address=${address}`),
    ...(gateway === null ? [] : [`Gateway=${gateway}`]),
    ...dnsServers.map((server) => `DNS=${server}`),
    ...(dhcp && dnsServers.length > 0 ? ['', '[DHCPv4]', 'UseDNS=no'] : []),
    '',
  ];
  return { path: join(root, 'etc/systemd/network', `10-gantry-${card}.network`), text: lines.join('\n') };
}

/** For systemd-timesyncd (`timesyncd.conf(5)`); without servers its own settings count again. */
export function timesyncdFile(root: string, { timeServers }: NetworkSettings): FileChange {
  const text = timeServers.length === 0 ? null : `${head}[Time]\nNTP=${timeServers.join(' ')}\n`;
  return { path: join(root, 'etc/systemd/timesyncd.conf.d/90-gantry.conf'), text };
}

/** For chrony (`sources.d`, read by `chronyc reload sources`). */
export function chronyFile(root: string, { timeServers }: NetworkSettings): FileChange {
  const text =
    timeServers.length === 0 ? null : head + timeServers.map((name) => `server ${name} iburst\n`).join('');
  return { path: join(root, 'etc/chrony/sources.d/gantry.sources'), text };
}

/** What is wrong with settings that are each well formed, in words; null where nothing is. */
export function settingsFault({ dhcp, addresses, gateway }: NetworkSettings): string | null {
  if (!dhcp && addresses.length === 0) return 'Without DHCP the card needs an address.';
  if (gateway === null) return null;
  const versions = addresses.map((address) => isIP(address.split('/')[0] ?? ''));
  if (addresses.length > 0 && !versions.includes(isIP(gateway)))
    return 'The gateway is of another kind (IPv4, IPv6) than the addresses.';
  const reached = addresses.length === 0 || addresses.some((address) => sameNetwork(address, gateway));
  return reached ? null : 'The gateway is in no network of the addresses: nothing could reach it.';
}

/** Whether an address lies in the network of `ADDRESS/PREFIX`. */
export function sameNetwork(network: string, address: string): boolean {
  const [ip = '', prefix = '0'] = network.split('/');
  if (isIP(ip) !== isIP(address)) return false;
  const width = isIP(ip) === 4 ? 32 : 128;
  const shift = BigInt(width - Number(prefix));
  return toNumber(ip) >> shift === toNumber(address) >> shift;
}

function toNumber(address: string): bigint {
  if (isIP(address) === 4)
    return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(Number(part)), 0n);
  // The URL parser writes an IPv6 address in its shortest form, without an IPv4 tail.
  const [left = '', right] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string | undefined): string[] =>
    text === undefined || text === '' ? [] : text.split(':');
  const [before, after] = [groups(left), groups(right)];
  const zeros = Array<string>(right === undefined ? 0 : 8 - before.length - after.length).fill('0');
  return [...before, ...zeros, ...after].reduce((sum, part) => (sum << 16n) | BigInt(`0x${part}`), 0n);
}
