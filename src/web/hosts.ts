import { isIP, isIPv4 } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

/** `Host` without its port, lower-case, IPv6 without brackets and zone, no final dot. */
function hostOf(header: string): string {
  const bracketed = /^\[([^\]%]*)(?:%[^\]]*)?\](?::\d*)?$/.exec(header);
  const bare = bracketed?.[1] ?? header.replace(/:\d*$/, '');
  return bare.toLowerCase().replace(/\.$/, '');
}

/** The names this machine answers to by itself: its host name, that without the domain, and that over mDNS. */
function ownNames(): string[] {
  const full = hostname().toLowerCase();
  const short = full.split('.')[0] ?? full;
  return [full, short, `${short}.local`, 'localhost'];
}

/**
 * Guards against DNS rebinding: a page of another site whose name was pointed at this box carries that name
 * in `Host`. An address literal cannot be rebound, nor can a name only this network knows.
 * @param names host names configured for this box
 */
export function createHostCheck(names: readonly string[]): (header: string | undefined) => boolean {
  const allowed = new Set([...ownNames(), ...names.map((name) => hostOf(name))]);
  allowed.delete('');
  return (header) => {
    // HTTP/1.1 without it is refused by the parser; HTTP/1.0 health checks leave it out, browsers never do.
    if (header === undefined) return true;
    const host = hostOf(header);
    return isIP(host) !== 0 || allowed.has(host);
  };
}

const shownAddressesMax = 4;
const anyAddress = new Set(['', '0.0.0.0', '::']);

function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

function isLocalOnly(address: string): boolean {
  return (
    address.startsWith('127.') || address === '::1' || /^fe[89ab]/i.test(address) || anyAddress.has(address)
  );
}

/**
 * What to type into a modality as our address, best first: what the reader's own browser reached us by (right
 * also behind address translation), then the address the connection came in on, then every other one; IPv4
 * first, which is what modalities speak.
 * @param intakeHost where the DICOM listener is bound; a specific address is the only answer
 */
export function modalityAddresses(
  intakeHost: string,
  hostHeader: string | undefined,
  localAddress: string | undefined,
): string[] {
  if (!anyAddress.has(intakeHost)) return [intakeHost];
  const interfaces = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const candidates = [
    hostOf(hostHeader ?? ''),
    plainAddress(localAddress ?? ''),
    ...interfaces.filter((one) => !one.internal).map((one) => one.address),
  ].filter((address) => isIP(address) !== 0 && !isLocalOnly(address));
  const distinct = [...new Set(candidates)];
  const ordered = [...distinct.filter((one) => isIPv4(one)), ...distinct.filter((one) => !isIPv4(one))];
  return ordered.length > 0 ? ordered.slice(0, shownAddressesMax) : ['127.0.0.1'];
}
