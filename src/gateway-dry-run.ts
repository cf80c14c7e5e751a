import { lookup } from 'node:dns/promises';
import { isDeepStrictEqual } from 'node:util';
import { systemErrorCode } from './base/errors.ts';
import type { SealedSecrets } from './base/sealed-secrets.ts';
import { brokerTarget } from './config/remote/channels/broker.ts';
import { asRemoteFault } from './config/remote/channels/faults.ts';
import { Outward, type Target } from './config/remote/channels/outward.ts';
import { recordTarget } from './config/remote/channels/record-client.ts';
import type { ChannelState } from './config/remote/channels/port.ts';
import { ApplyRefusal } from './config/remote/apply-failures.ts';
import type { Config, RemoteLineConfig } from './config/schema.ts';
import { readPlace } from './gateway-secrets.ts';

/**
 * Looks up the servers that notices would go to; nothing is sent.
 * @throws ApplyRefusal APPLY_NOTIFY where a name is not found
 */
export async function checkNotify({ notify: now }: Config, { notify }: Config): Promise<void> {
  const hosts = [
    { path: '/notify/email/host', before: now.email?.host, host: notify.email?.host },
    { path: '/notify/webhook/url', before: hostIn(now.webhook?.url), host: hostIn(notify.webhook?.url) },
  ];
  for (const { path, before, host } of hosts) {
    if (host === undefined || host === before) continue;
    try {
      await lookup(host);
    } catch (error) {
      throw new ApplyRefusal(path, {
        code: 'APPLY_NOTIFY',
        kind: 'permanent',
        message: `The name of a server that notices are to go to is not found (${systemErrorCode(error) ?? 'unknown cause'}).`,
        nextStep: 'Check the name under "notify", and the name servers of this box.',
      });
    }
  }
}

/**
 * Opens the way to each server of central IT whose settings are new, TLS and proxy with it, and closes it again
 * without a word.
 * @param channels how the ways in use are: what does not work now need not work better
 * @param secrets that come with the settings
 * @throws ApplyRefusal APPLY_REMOTE
 */
export async function checkRemote(
  { remote: now }: Config,
  { remote }: Config,
  channels: readonly ChannelState[],
  secrets: SealedSecrets,
): Promise<void> {
  for (const kind of ['https', 'mqtt'] as const) {
    const line = remote[kind];
    if (line === null || isDeepStrictEqual(now[kind], line)) continue;
    if (channels.some((one) => one.kind === kind && one.failure !== null)) continue;
    const target = kind === 'mqtt' ? brokerTarget(line.url) : recordTarget(line.url);
    const code = await faultOf(line, target, secrets);
    if (code === null) continue;
    throw new ApplyRefusal(`/remote/${kind}`, {
      code: 'APPLY_REMOTE',
      kind: 'permanent',
      message: `With the new settings, central IT would not be reached by "${kind}" (${code}).`,
      nextStep: 'Compare address, proxy and certificates under "remote" with what central IT gave.',
    });
  }
}

async function faultOf(
  line: RemoteLineConfig,
  target: Target,
  secrets: SealedSecrets,
): Promise<string | null> {
  const parts = {
    readText: (place: string) => readPlace(place, secrets),
    ownCertificate: () => Promise.resolve(null),
  };
  try {
    const socket = await new Outward(line, parts).connect(target);
    socket.on('error', () => undefined).destroy();
    return null;
  } catch (error) {
    return asRemoteFault(error).code;
  }
}

/** An IPv6 address stands in brackets in a URL. */
function hostIn(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url).hostname.replace(/^\[|\]$/g, '');
}
