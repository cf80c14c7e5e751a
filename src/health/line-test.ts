import { isIP } from 'node:net';
import { isNear, isLoopback, type NetworkFacts } from './network-facts.ts';
import {
  clockWords,
  type Finding,
  folderWords,
  gatewayWords,
  linkWords,
  lookUpWords,
  proxyWords,
  signInWords,
  tlsWords,
} from './line-words.ts';

/** One hop on the way to a destination, in their order; `mount` and `write` are those of a folder. */
export type LineStepName =
  | 'link'
  | 'gateway'
  | 'dns'
  | 'proxy'
  | 'tls'
  | 'sign-in'
  | 'clock'
  | 'mount'
  | 'write';

export interface LineStep {
  readonly step: LineStepName;
  /** `skipped`: not needed on this way, or not reached. */
  readonly state: 'ok' | 'failed' | 'skipped';
  /** Stable, never translated. */
  readonly code: string;
  readonly words: string;
  /** Of the words what is the same in every language: addresses, names, a status; null where there is nothing such. */
  readonly detail: string | null;
  readonly nextStep: string | null;
  /** Whom to call; null where nobody is to be called. */
  readonly call: 'on-site' | 'site-it' | 'archive' | null;
  /** In order, and yet somebody should look at it. */
  readonly attention: boolean;
}

export interface LineReport {
  readonly destination: string;
  readonly ok: boolean;
  /** The first step that failed, or null. */
  readonly failed: LineStepName | null;
  readonly steps: readonly LineStep[];
}

/** The certificate at the other end; null where the line is in clear. */
export interface SeenCertificate {
  readonly fault: string | null;
  readonly issuer: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

export type PingResult =
  | { readonly kind: 'answered'; readonly status: number }
  | { readonly kind: 'failed'; readonly code: string };

/** The hops of a line, each to be asked by itself. They throw errors with a code of the system, of TLS or of ours. */
export interface LinePorts {
  readonly destination: string;
  /** A DIMSE archive has AE titles where others have a sign-in, and no clock to show. */
  readonly kind: 'stow' | 'dimse';
  readonly host: string;
  readonly port: number;
  /** Host and port of the proxy; null: direct. */
  readonly proxy: { readonly host: string; readonly port: number } | null;
  readonly network: () => Promise<NetworkFacts>;
  readonly lookUp: (host: string) => Promise<readonly string[]>;
  readonly openProxy: () => Promise<void>;
  readonly connect: () => Promise<SeenCertificate | null>;
  /** An authenticated read, or C-ECHO: never an object. */
  readonly ping: () => Promise<PingResult>;
  /** How far the archive's clock is ahead, after the ping; null where it does not say. */
  readonly clockOffsetMs: () => number | null;
  /** Who signed the certificate when last all was well; null where that is not known. */
  readonly knownIssuer: string | null;
  /** The code's cause in plain words. */
  readonly faultWords: (code: string) => string;
  readonly now: () => number;
}

export interface FolderPorts {
  readonly destination: string;
  readonly probe: () => Promise<
    | { readonly ok: true }
    | {
        readonly ok: false;
        readonly failed: 'mount' | 'write' | 'read' | 'delete';
        readonly code: string;
      }
  >;
  readonly faultWords: (code: string) => string;
}

/**
 * Walks a line hop by hop and stops at the first that fails. Sends no object. Never throws.
 * @returns every step, those behind a failure as skipped
 */
export async function testLine(ports: LinePorts): Promise<LineReport & { issuer: string | null }> {
  let issuer: string | null = null;
  const walk = new Walk();
  const host = ports.proxy?.host ?? ports.host;
  const network = await ports.network();
  const found = isIP(host) !== 0 ? { addresses: [host] } : await lookUp(ports, host);
  const addresses = 'addresses' in found ? found.addresses : [];
  const local = addresses.length > 0 && addresses.every(isLoopback);
  const near = addresses.length > 0 && addresses.every((one) => isNear(one, network.cards));

  await walk.take('link', () => (local ? null : linkWords(network)));
  await walk.take('gateway', () => (near ? null : gatewayWords(network)));
  await walk.take('dns', () => (isIP(host) !== 0 ? null : lookUpWords(host, found, network.dnsServers)));
  await walk.take('proxy', () => (ports.proxy === null ? null : askProxy(ports)));
  await walk.take('tls', async () => {
    const seen = await caught(ports.connect);
    if (seen.ok && seen.value !== null && seen.value.fault === null) issuer = seen.value.issuer;
    return tlsWords(ports, seen);
  });
  await walk.take('sign-in', async () => signInWords(ports, await ports.ping()));
  await walk.take('clock', () => {
    const offset = ports.clockOffsetMs();
    return offset === null ? null : clockWords(offset);
  });
  const report = walk.report(ports.destination);
  return { ...report, issuer: report.ok ? issuer : null };
}

/** Writes a small file into a folder, reads it back and deletes it. */
export async function testFolder(ports: FolderPorts): Promise<LineReport> {
  const probe = await ports.probe();
  const walk = new Walk();
  await walk.take('mount', () => folderWords.mount(ports, probe));
  await walk.take('write', () => folderWords.write(ports, probe));
  return walk.report(ports.destination);
}

export type Caught<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string };

export type LookUp = { readonly addresses: readonly string[] } | { readonly code: string };

async function lookUp(ports: LinePorts, host: string): Promise<LookUp> {
  const found = await caught(() => ports.lookUp(host));
  return found.ok ? { addresses: found.value } : { code: found.code };
}

async function askProxy(ports: LinePorts): Promise<Finding> {
  return proxyWords(ports, await caught(ports.openProxy));
}

async function caught<T>(work: () => Promise<T>): Promise<Caught<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    return { ok: false, code: typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code) ? code : 'UNKNOWN' };
  }
}

/** The steps so far. After one that failed, none is taken any more. */
class Walk {
  readonly #steps: LineStep[] = [];
  #failed: LineStepName | null = null;

  /** @param look null where the step is not needed on this way */
  async take(step: LineStepName, look: () => Promise<Finding | null> | Finding | null): Promise<void> {
    if (this.#failed !== null) {
      this.#skip(step, 'NOT_REACHED', 'Not tried, as something before it failed.');
      return;
    }
    const finding = await look();
    if (finding === null) return this.#skip(step, 'NOT_NEEDED', 'Not needed on this way.');
    const { state, code, words, detail = null, nextStep = null, call = null, attention = false } = finding;
    this.#steps.push({ step, state, code, words, detail, nextStep, call, attention });
    if (state === 'failed') this.#failed = step;
  }

  report(destination: string): LineReport {
    return { destination, ok: this.#failed === null, failed: this.#failed, steps: this.#steps };
  }

  #skip(step: LineStepName, code: string, words: string): void {
    const nothing = { detail: null, nextStep: null, call: null, attention: false };
    this.#steps.push({ step, state: 'skipped', code, words, ...nothing });
  }
}
