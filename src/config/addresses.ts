import { BlockList, isIP } from 'node:net';

export interface AddressRange {
  readonly address: string;
  readonly prefixBits: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** @returns the range named by `10.4.1.20`, `10.4.1.0/24`, `fd00::/8` …, or null where the text names none */
export function parseAddressRange(text: string): AddressRange | null {
  const [address = '', prefix, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0 || address.includes('%')) return null;
  const bits = version === 4 ? 32 : 128;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (prefix === undefined) return { address, prefixBits: bits, family };
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(prefix) || Number(prefix) > bits) return null;
  return { address, prefixBits: Number(prefix), family };
}

/** Whether some address lies in both ranges: two prefixes share an address exactly where one holds the other. */
export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  if (a.family !== b.family) return false;
  const [wide, narrow] = a.prefixBits <= b.prefixBits ? [a, b] : [b, a];
  const list = new BlockList();
  list.addSubnet(wide.address, wide.prefixBits, wide.family);
  return list.check(narrow.address, narrow.family);
}
