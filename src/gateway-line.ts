import { lookup } from 'node:dns/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { faultText } from './archive/client-fault.ts';
import { probeFolder } from './archive/folder-probe.ts';
import { type LineTarget, probeConnection, probeMsMax, probeProxy } from './archive/line-probe.ts';
import type { Note } from './base/note.ts';
import type { SealedSecrets } from './base/sealed-secrets.ts';
import type { Destination } from './gateway-destination.ts';
import { openNote, type Store } from './gateway-store.ts';
import { type LineReport, testFolder, testLine } from './health/line-test.ts';
import { readNetwork } from './health/network-facts.ts';

/** By destination: who signed its certificate when last all was well. */
type Issuers = Readonly<Record<string, string>>;
const issuerNote = { schema: z.record(z.string(), z.string()) as z.ZodType<Issuers>, empty: {} };

const signInMsMax = 30_000;

/** Tests the line to a destination when somebody asks; who asks meanwhile shares the answer. */
export class LineTester {
  readonly #store: Store;
  readonly #issuers: Note<Issuers>;
  readonly #running = new Map<string, Promise<LineReport>>();

  private constructor(store: Store, issuers: Note<Issuers>) {
    this.#store = store;
    this.#issuers = issuers;
  }

  static async open(store: Store): Promise<LineTester> {
    return new LineTester(store, await openNote(store, 'archive-issuers', issuerNote));
  }

  test(destination: Destination): Promise<LineReport> {
    const running = this.#running.get(destination.name);
    if (running !== undefined) return running;
    const started = this.#test(destination).finally(() => this.#running.delete(destination.name));
    this.#running.set(destination.name, started);
    return started;
  }

  async #test({ name, config, client }: Destination): Promise<LineReport> {
    const faultWords = (code: string) => faultText(code).words;
    if (config.type === 'folder')
      return testFolder({ destination: name, probe: () => probeFolder(config.path), faultWords });
    const target = targetOf(config, this.#store.secrets);
    const known = this.#issuers.value;
    const { issuer, ...report } = await testLine({
      destination: name,
      kind: config.type,
      host: target.host,
      port: target.port,
      proxy: target.proxy && placeOf(target.proxy.url),
      network: () => readNetwork(),
      lookUp,
      openProxy: () => probeProxy(target),
      connect: () => probeConnection(target),
      ping: () => client.ping(AbortSignal.timeout(signInMsMax)),
      clockOffsetMs: () => client.line().clockOffsetMs ?? null,
      knownIssuer: Object.hasOwn(known, name) ? (known[name] ?? null) : null,
      faultWords,
      now: () => this.#store.clock.now(),
    });
    if (issuer !== null) await this.#remember(name, issuer);
    const { failed, steps } = report;
    const code = steps.find(({ step }) => step === failed)?.code ?? 'OK';
    this.#store.log.info({ event: 'line-tested', destination: name, failed, code }, 'line tested');
    return report;
  }

  async #remember(name: string, issuer: string): Promise<void> {
    if (this.#issuers.value[name] === issuer) return;
    await this.#issuers
      .change((issuers) => ({ ...issuers, [name]: issuer }))
      .catch((error: unknown) => this.#store.log.warn({ error }, 'an issuer was not noted'));
  }
}

function targetOf(
  config: Exclude<Destination['config'], { type: 'folder' }>,
  sealed: SealedSecrets,
): LineTarget {
  if (config.type === 'dimse') {
    return { host: config.host, port: config.port, tls: config.tls, proxy: null, sealed };
  }
  const { caFile, auth, clientCertificate, proxy, url } = config;
  const files = { caFile, clientCertificate: auth.type === 'mtls' ? auth : clientCertificate };
  return { ...placeOf(url), tls: url.startsWith('https:') ? files : null, proxy, sealed };
}

function placeOf(url: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return { host, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
}

async function lookUp(host: string): Promise<string[]> {
  const late = delay(probeMsMax, null, { ref: false });
  const found = await Promise.race([lookup(host, { all: true }), late]);
  if (found === null) throw Object.assign(new Error('no answer in time'), { code: 'EAI_AGAIN' });
  return found.map(({ address }) => address);
}
