import { isIP } from 'node:net';
import { z } from 'zod';

/** Where the helper listens; only root and the gateway's group may open it. */
export const helperSocketPath = '/run/gantry-helper/helper.sock';
/** A changed network goes back by itself unless somebody confirms it, over the changed network, within so long. */
export const confirmSeconds = 60;

const listMax = 4;
const card = z.string().regex(/^[a-zA-Z][a-zA-Z0-9_.-]{0,14}$/, 'must be the name of a network card');
const address = z.string().refine((text) => isAddress(text), 'must be an IP address');
const addressWithPrefix = z
  .string()
  .refine(isAddressWithPrefix, 'must be an IP address with the length of its network part, e.g. 10.4.1.9/24');
const hostName = z
  .string()
  .regex(/^(?=.{1,253}$)[a-zA-Z0-9](?:[a-zA-Z0-9.:-]*[a-zA-Z0-9])?$/, 'must be a name or an IP address');

/** How the machine is to be connected. What a static setting leaves out is not set. */
export const networkSettings = z.strictObject({
  card,
  dhcp: z.boolean(),
  /** With the length of the network part; needed where DHCP is off. */
  addresses: z.array(addressWithPrefix).max(listMax),
  gateway: address.nullable(),
  dnsServers: z.array(address).max(listMax),
  timeServers: z.array(hostName).max(listMax),
});
export type NetworkSettings = z.infer<typeof networkSettings>;

/** `Area/City`; it has to exist on the machine too. */
export const timeZoneName = z
  .string()
  .regex(/^(?=.{1,64}$)[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z][A-Za-z0-9_+-]*){0,2}$/, 'must be a time zone');

const changeId = z.string().regex(/^[0-9a-f]{16}$/);

/** The five verbs, and everything that can be said with them. */
export const helperRequest = z.discriminatedUnion('verb', [
  z.discriminatedUnion('do', [
    z.strictObject({ verb: z.literal('network'), do: z.literal('set'), settings: networkSettings }),
    z.strictObject({ verb: z.literal('network'), do: z.enum(['confirm', 'revert']), change: changeId }),
  ]),
  z.strictObject({ verb: z.literal('time-zone'), timeZone: timeZoneName }),
  z.strictObject({ verb: z.literal('reboot') }),
  z.strictObject({
    verb: z.literal('install'),
    /** Name of a RAUC bundle in the folder of updates. */
    bundle: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.raucb$/, 'must be the name of a bundle'),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  z.strictObject({ verb: z.literal('blink'), seconds: z.int().min(1).max(120) }),
]);
export type HelperRequest = z.infer<typeof helperRequest>;
export type HelperVerb = HelperRequest['verb'];

/** One line of JSON from the gateway: what it asks, and who asked it. */
export const helperCall = z.strictObject({
  /** Who is behind it, for the audit log: the name somebody signed in with. */
  by: z.string().min(1).max(64),
  request: helperRequest,
});
export type HelperCall = z.infer<typeof helperCall>;

/** One line of JSON back. */
export const helperAnswer = z.union([
  z.strictObject({ ok: z.literal(true), change: changeId.nullable() }),
  z.strictObject({
    ok: z.literal(false),
    code: z.string(),
    kind: z.enum(['transient', 'ambiguous', 'permanent']),
    message: z.string(),
    nextStep: z.string(),
  }),
]);
export type HelperAnswer = z.infer<typeof helperAnswer>;

/** Without a zone (`fe80::1%eth0`): the card is named beside it. */
function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}

function isAddressWithPrefix(text: string): boolean {
  const [ip = '', prefix = '', ...rest] = text.split('/');
  const version = isIP(ip);
  if (!isAddress(ip) || rest.length > 0 || !/^\d{1,3}$/.test(prefix)) return false;
  return Number(prefix) >= 1 && Number(prefix) <= (version === 4 ? 32 : 128);
}
