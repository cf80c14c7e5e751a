import type {
  Caught,
  FolderPorts,
  LinePorts,
  LineStep,
  LookUp,
  PingResult,
  SeenCertificate,
} from './line-test.ts';
import type { NetworkFacts } from './network-facts.ts';

/** What a step showed. */
export interface Finding {
  readonly state: 'ok' | 'failed';
  readonly code: string;
  readonly words: string;
  readonly detail?: string | null;
  readonly nextStep?: string;
  readonly call?: LineStep['call'];
  readonly attention?: boolean;
}

/** A clock off by more than this makes certificates and signatures fail somewhere. */
const clockFailedMs = 300_000;
const clockAttentionMs = 30_000;

const authorityCodes = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

/** Faults of files and settings on this box. */
const ownSettings = /^(?:PROXY_|CLIENT_CERTIFICATE_|TLS_FILES_)|_FILE_/;

function ok(words: string, detail: string | null = null): Finding {
  return { state: 'ok', code: 'OK', words, detail };
}

function failed(code: string, words: string, nextStep: string, call: LineStep['call']): Finding {
  return { state: 'failed', code, words, nextStep, call };
}

export function linkWords({ cards }: NetworkFacts): Finding {
  const linked = cards.filter(({ link }) => link);
  if (linked.length === 0) {
    const next = 'Check the network cable at both ends, and that the lamp beside the socket is on.';
    return failed('NO_LINK', 'No network card of this box has a connection.', next, 'on-site');
  }
  const addressed = linked.filter(({ addresses }) => addresses.length > 0);
  if (addressed.length === 0) {
    return failed(
      'NO_ADDRESS',
      'The network cable is in, but this box has no IP address.',
      'Ask IT whether the network gives out addresses (DHCP) at this socket, or set a static one.',
      'site-it',
    );
  }
  const named = addressed.map(({ name, addresses }) => `${name} (${addresses[0]?.address ?? ''})`);
  return ok(`Connected by ${named.join(', ')}.`, named.join(', '));
}

export function gatewayWords({ gateway, cards }: NetworkFacts): Finding {
  if (gateway === null) {
    // With IPv6 alone the way out is not in the table that is looked at.
    if (cards.some(({ addresses }) => addresses.some(({ address }) => isPublicIpv6(address))))
      return ok('No IPv4 gateway is set; the way out is IPv6.');
    return failed(
      'NO_GATEWAY',
      'No gateway is set: this box knows no way out of its own network.',
      'Ask IT for the address of the gateway (router) and set it, or have DHCP give it out.',
      'site-it',
    );
  }
  if (gateway.answers === false) {
    return {
      ...failed(
        'GATEWAY_SILENT',
        `The gateway ${gateway.address} does not answer.`,
        'Ask IT whether the router is on, and whether this is still its address.',
        'site-it',
      ),
      detail: gateway.address,
    };
  }
  return ok(`The gateway is ${gateway.address}.`, gateway.address);
}

function isPublicIpv6(address: string): boolean {
  return /^[23]/.test(address) && address.includes(':');
}

export function lookUpWords(host: string, found: LookUp, dnsServers: readonly string[]): Finding {
  if ('addresses' in found) {
    const addresses = found.addresses.join(', ');
    return ok(`${host} is ${addresses}.`, `${host}: ${addresses}`);
  }
  const detail = [host, ...(dnsServers.length === 0 ? [] : [`DNS ${dnsServers.join(', ')}`])].join('; ');
  const asked = dnsServers.length === 0 ? 'No name server is set.' : `Asked: ${dnsServers.join(', ')}.`;
  if (found.code === 'ENOTFOUND') {
    return {
      ...failed(
        found.code,
        `The name ${host} is not known (DNS). ${asked}`,
        'Check the name in the configuration; then ask IT whether their name servers may look up names of the Internet.',
        'site-it',
      ),
      detail,
    };
  }
  return {
    ...failed(
      found.code,
      `The name service does not answer (DNS). ${asked}`,
      'Ask IT whether the name servers set here are right and running.',
      'site-it',
    ),
    detail,
  };
}

export function proxyWords({ proxy, faultWords }: LinePorts, opened: Caught<void>): Finding {
  const where = `${proxy?.host ?? ''}, port ${proxy?.port ?? 0}`;
  if (opened.ok) return ok(`The proxy at ${where} lets this box through.`, where);
  return {
    ...failed(
      opened.code,
      `The way through the proxy at ${where} fails: ${faultWords(opened.code)}.`,
      'Call IT: the proxy must let this box connect to the archive, and its user name and password must be right here.',
      'site-it',
    ),
    detail: where,
  };
}

export function tlsWords(ports: LinePorts, seen: Caught<SeenCertificate | null>): Finding {
  const { host, port, faultWords } = ports;
  const where = `${host}, port ${port}`;
  if (!seen.ok) return { ...connectFailed(where, seen.code, faultWords), detail: where };
  const certificate = seen.value;
  if (certificate === null)
    return ok(`Connected to ${where}. This line is not encrypted.`, `${where}; TLS: –`);
  if (certificate.fault !== null) {
    const found = notTrusted(ports, { ...certificate, fault: certificate.fault });
    return { ...found, detail: found.detail ?? signedBy(certificate.issuer, ports.knownIssuer) };
  }
  const days = Math.floor((certificate.notAfter - ports.now()) / 86_400_000);
  const said = `Encrypted; the certificate is signed by "${certificate.issuer}" and valid for ${days} more days.`;
  if (ports.knownIssuer !== null && ports.knownIssuer !== certificate.issuer) {
    return {
      ...ok(
        `${said} It used to be signed by "${ports.knownIssuer}".`,
        signedBy(certificate.issuer, ports.knownIssuer),
      ),
      code: 'ISSUER_CHANGED',
      nextStep: `If "${certificate.issuer}" is not the archive's new authority, ask IT whether a firewall opens encrypted connections.`,
      call: 'site-it',
      attention: true,
    };
  }
  return ok(said, `TLS: "${certificate.issuer}"`);
}

function failedOn(day: string, ...rest: Parameters<typeof failed>): Finding {
  return { ...failed(...rest), detail: day };
}

/** Who signed the certificate, and who used to. */
function signedBy(issuer: string, known: string | null): string {
  return known === null || known === issuer ? `"${issuer}"` : `"${known}" → "${issuer}"`;
}

function connectFailed(where: string, code: string, faultWords: LinePorts['faultWords']): Finding {
  const words = `No connection to ${where}: ${faultWords(code)}.`;
  const blocked = code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT';
  if (blocked)
    return failed(
      code,
      words,
      'Ask IT whether a firewall blocks this address and port for this box.',
      'site-it',
    );
  if (ownSettings.test(code))
    return failed(code, words, 'Correct the file or the setting named here.', 'site-it');
  return failed(
    code,
    words,
    'Compare address and port with those the archive gave; if they are right, the archive must say whether it is running.',
    'archive',
  );
}

function notTrusted(ports: LinePorts, seen: SeenCertificate & { fault: string }): Finding {
  const { fault, issuer } = seen;
  const { faultWords, knownIssuer } = ports;
  if (fault === 'CERT_HAS_EXPIRED') {
    const day = new Date(seen.notAfter).toISOString().slice(0, 10);
    return failedOn(
      day,
      fault,
      `The certificate of the archive expired on ${day}. By the clock of this box it is ${dayOf(ports.now())}.`,
      'If that date is right, call the archive: it must renew its certificate. If not, set the clock of this box.',
      'archive',
    );
  }
  if (fault === 'CERT_NOT_YET_VALID') {
    const day = new Date(seen.notBefore).toISOString().slice(0, 10);
    return failedOn(
      day,
      fault,
      `The certificate is valid from ${day} on. By the clock of this box it is ${dayOf(ports.now())}.`,
      'The clock of this box is most likely wrong: set it, and give the box a time server.',
      'site-it',
    );
  }
  if (authorityCodes.has(fault)) {
    const before = knownIssuer === null ? '' : ` It used to be signed by "${knownIssuer}".`;
    return failed(
      fault,
      `The certificate shown is signed by "${issuer}", which this box does not trust.${before} Somebody in between, such as a firewall, may be opening encrypted connections.`,
      `Ask IT whether "${issuer}" is theirs. If so, the archive must be exempt from it; if it is the archive's own authority, put that into "caFile".`,
      'site-it',
    );
  }
  return failed(
    fault,
    `The certificate shown does not hold: ${faultWords(fault)} (signed by "${issuer}").`,
    'Compare the address in the configuration with the one the archive gave.',
    'archive',
  );
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

export function signInWords({ kind, faultWords }: LinePorts, answer: PingResult): Finding {
  if (answer.kind === 'failed') {
    const call = ownSettings.test(answer.code) ? 'site-it' : 'archive';
    const next =
      call === 'site-it'
        ? 'Correct the file or the setting named here.'
        : 'Read out this code to the archive; it must say what is wrong on its side.';
    return failed(answer.code, `The archive gave no answer: ${faultWords(answer.code)}.`, next, call);
  }
  const { status } = answer;
  if (kind === 'dimse') return ok('The archive answered the C-ECHO: both AE titles are right.');
  const code = `HTTP_${status}`;
  if (status >= 200 && status < 300) return ok('The archive took the sign-in and answered a question.');
  if (status === 401 || status === 403) {
    return failed(
      code,
      `The archive refuses the sign-in of this box (${status}).`,
      'The archive must say whether the user, token or certificate of this box is still valid, and may read.',
      'archive',
    );
  }
  if (status === 404 || status === 405) {
    return failed(
      code,
      `There is no such service at the archive's address (${status}).`,
      'Compare "url" of the destination, to its end, with the address the archive gave.',
      'archive',
    );
  }
  if (status === 429 || status >= 500) {
    return failed(
      code,
      `The archive is there, but out of order or overloaded (${status}).`,
      'Ask the archive; images are kept here and sent by themselves once it is well.',
      'archive',
    );
  }
  return failed(
    code,
    `The archive gave an answer this box can do nothing with (${status}).`,
    'Read out this code to the archive.',
    'archive',
  );
}

export function clockWords(offsetMs: number): Finding {
  const seconds = Math.round(Math.abs(offsetMs) / 1000);
  const apart = `The clock of this box is ${seconds} seconds ${offsetMs > 0 ? 'behind' : 'ahead of'} that of the archive.`;
  const next = 'Give this box a time server, or set its clock.';
  const detail = `${seconds} s`;
  if (Math.abs(offsetMs) > clockFailedMs) return { ...failed('CLOCK_WRONG', apart, next, 'site-it'), detail };
  if (Math.abs(offsetMs) > clockAttentionMs)
    return { ...ok(apart, detail), code: 'CLOCK_OFF', nextStep: next, call: 'site-it', attention: true };
  return ok('The clock of this box and that of the archive agree.');
}

type Probe = Awaited<ReturnType<FolderPorts['probe']>>;

export const folderWords = {
  mount({ faultWords }: FolderPorts, probe: Probe): Finding {
    if (probe.ok || probe.failed !== 'mount') return ok('The folder is there, with its marker file.');
    return failed(
      probe.code,
      `The folder cannot be used: ${faultWords(probe.code)}.`,
      'Ask IT whether the storage is on and mounted on this box.',
      'site-it',
    );
  },
  write({ faultWords }: FolderPorts, probe: Probe): Finding {
    if (probe.ok) return ok('A small file was written, read back and deleted.');
    const what = { mount: 'found', write: 'written', read: 'read back whole', delete: 'deleted' }[
      probe.failed
    ];
    const full = probe.code === 'ENOSPC' || probe.code === 'EDQUOT';
    const because = full ? 'there is no room left' : faultWords(probe.code);
    return failed(
      probe.code,
      `A small file could not be ${what} there: ${because}.`,
      full
        ? 'Ask IT for more room on that storage.'
        : 'Ask IT: this box must be allowed to write to, read from and delete in that folder.',
      'site-it',
    );
  },
};
