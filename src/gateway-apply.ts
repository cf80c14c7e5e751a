import { once } from 'node:events';
import { createServer } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { probeFolder } from './archive/folder-probe.ts';
import { faultText } from './archive/client-fault.ts';
import { systemErrorCode } from './base/errors.ts';
import { loadCredentials } from './base/tls-credentials.ts';
import type { ApplyPorts, Looks } from './config/remote/apply.ts';
import { ApplyRefusal } from './config/remote/apply-failures.ts';
import type { Config } from './config/schema.ts';
import { type SealedByName, sealedFor } from './config/secrets.ts';
import type { Rooms } from './gateway.ts';
import type { Destination } from './gateway-destination.ts';
import { checkNotify, checkRemote } from './gateway-dry-run.ts';
import { makeDestination } from './gateway-destinations.ts';
import { intakeOptions } from './gateway-intake.ts';
import { dicomCertificate, ownCertificate, webCertificate } from './gateway-own-certificate.ts';
import type { Store } from './gateway-store.ts';
import type { Web } from './gateway-web.ts';
import { Admission } from './intake/admission.ts';

/** An archive that has not answered by then counts as not answering. */
const answerMs = 8_000;
/** Devices that called since then have to be able to call again. */
const recentMs = 24 * 3_600_000;

/** The running gateway as the applying of a configuration sees it. */
export function createApplyPorts(store: Store, rooms: Rooms, web: Web): ApplyPorts {
  const live = () => {
    if (rooms.live === null) throw new Error('the gateway has not started yet');
    return rooms.live;
  };
  return {
    plan: (config) => live().plan(config),
    dryRun: async (config, before, sealed) => {
      const { config: now } = store.current;
      checkReserve(store, config);
      await checkPorts(now, config);
      await checkCertificates(store, config);
      checkCallers(store, rooms, config);
      await checkDestinations(store, now, { config, sealed }, before);
      await checkNotify(now, config);
      if (store.remote.value.enrolment !== null)
        await checkRemote(now, config, rooms.channels(), store.secrets.of(sealed));
    },
    look: () => lookAt(store, rooms, web),
    follow: (config) => live().follow(config),
    followAll: (config) => live().followAll(config),
  };
}

async function lookAt({ spool }: Store, { doors, tls, destinations }: Rooms, web: Web): Promise<Looks> {
  const gate = spool.intakeGate();
  const tlsState = tls.port?.state() ?? null;
  const { https } = web.report();
  const lines = destinations.map(async (one) => [lookName(one.name), await faultOf(one)] as const);
  return {
    'store for images': gate.open ? null : gate.reason.code,
    'DICOM port': doors.port === null ? 'INTAKE_PORT' : null,
    'DICOM TLS port': tlsState === null || tlsState.open ? null : (tlsState.problem?.code ?? 'CLOSED'),
    'page over HTTPS': https === null || https.open ? null : (https.problem?.code ?? 'CLOSED'),
    ...Object.fromEntries(await Promise.all(lines)),
  };
}

function lookName(destination: string): string {
  return `destination ${destination}`;
}

/** Asks a destination something that every one answers; sends no object. @returns a code, or null where all is well */
async function faultOf({ config, client }: Destination): Promise<string | null> {
  if (config.type === 'folder') {
    const probe = await probeFolder(config.path);
    return probe.ok ? null : probe.code;
  }
  const answer = await client.ping(AbortSignal.timeout(answerMs));
  if (answer.kind === 'failed') return answer.code;
  const refused = config.type === 'stow' && (answer.status < 200 || answer.status >= 300);
  return refused ? `HTTP_${answer.status}` : null;
}

interface Place {
  readonly path: string;
  readonly host: string;
  readonly port: number;
}

function placesOf({ intake, web }: Config): Place[] {
  const { tls } = intake;
  return [
    { path: '/intake/port', host: intake.host, port: intake.port },
    ...(tls === null ? [] : [{ path: '/intake/tls/port', host: tls.host ?? intake.host, port: tls.port }]),
    { path: '/web/port', host: web.host, port: web.port },
    ...(web.https === null ? [] : [{ path: '/web/https/port', host: web.host, port: web.https.port }]),
  ];
}

/** @throws ApplyRefusal APPLY_PORT where a new port is taken, or the address is not of this machine */
async function checkPorts(now: Config, config: Config): Promise<void> {
  const held = placesOf(now);
  for (const place of placesOf(config)) {
    const before = held.find(({ path }) => path === place.path);
    if (isDeepStrictEqual(before, place)) continue;
    // Of a port that is ours already only the address can be tried.
    const port = before?.port === place.port ? 0 : place.port;
    const server = createServer();
    try {
      server.listen(port, place.host);
      await once(server, 'listening');
    } catch (error) {
      throw new ApplyRefusal(place.path, {
        code: 'APPLY_PORT',
        kind: 'permanent',
        message: `Port ${place.port} cannot be opened (${systemErrorCode(error) ?? 'unknown cause'}).`,
        nextStep: 'Choose a port that no other program uses, on an address of this box.',
      });
    }
    server.close();
    await once(server, 'close');
  }
}

/** @throws ApplyRefusal APPLY_RESERVE where no image would be taken any more */
function checkReserve({ spool }: Store, config: Config): void {
  const { state, freeBytes } = spool.disk();
  if (state === 'full' || config.spool.reserveBytes < freeBytes) return;
  throw new ApplyRefusal('/spool/reserveBytes', {
    code: 'APPLY_RESERVE',
    kind: 'permanent',
    message: 'Less space is free than is to be kept in reserve: no image would be taken any more.',
    nextStep: 'Lower "spool.reserveBytes", or give the box a larger disk.',
  });
}

/** @throws GantryError TLS_* */
async function checkCertificates(store: Store, { intake, web }: Config): Promise<void> {
  if (intake.tls !== null) {
    const naming = { setting: 'intake.tls', purpose: 'DICOM over TLS', port: 'the DICOM TLS port' } as const;
    await loadCredentials(naming, intake.tls, () => ownCertificate(store, dicomCertificate));
  }
  if (web.https === null) return;
  const naming = { setting: 'web.https', purpose: 'the page', port: 'the HTTPS port of the page' } as const;
  const files = { ...web.https, clientCaFile: null };
  await loadCredentials(naming, files, () => ownCertificate(store, webCertificate));
}

/** @throws ApplyRefusal APPLY_CALLER where a device that called lately would be turned away */
function checkCallers({ clock }: Store, { listener }: Rooms, config: Config): void {
  const options = intakeOptions(config);
  const admission = new Admission(options, options.limits);
  const since = clock.now() - recentMs;
  for (const { outcome, at, callingAeTitle, address, overTls, modalityName } of listener.attempts()) {
    if (outcome !== 'accepted' || at < since) continue;
    const name = admission.modalityOf(callingAeTitle, address);
    const bound = name !== null && config.modalities[name]?.certificate !== null;
    const admitted = name === null ? config.intake.unknownCallers === 'accept' : overTls || !bound;
    if (admitted) continue;
    throw new ApplyRefusal('/modalities', {
      code: 'APPLY_CALLER',
      kind: 'permanent',
      message: `A device that called in the last 24 hours would be turned away: ${modalityName ?? 'one without an entry'}.`,
      nextStep: 'Keep its AE title and address under "modalities", or switch the device off a day before.',
    });
  }
}

/** @throws ApplyRefusal APPLY_DESTINATION where one fails with the new settings, and did not before */
async function checkDestinations(
  store: Store,
  now: Config,
  { config, sealed }: { readonly config: Config; readonly sealed: SealedByName },
  before: Looks,
): Promise<void> {
  const sealedNow = store.configStore.sealed();
  const settings = (from: Config, name: string, its: SealedByName) => {
    const entry = from.destinations[name];
    return [entry, from.intake.aeTitle, sealedFor(entry, its)];
  };
  const changed = Object.keys(config.destinations).filter(
    (name) => !isDeepStrictEqual(settings(now, name, sealedNow), settings(config, name, sealed)),
  );
  await Promise.all(
    changed.map(async (name) => {
      const wasBad = Object.hasOwn(now.destinations, name) && (before[lookName(name)] ?? null) !== null;
      const destination = makeDestination(name, config, { ...store, secrets: store.secrets.of(sealed) });
      let code: string | null;
      try {
        code = await faultOf(destination);
      } finally {
        await destination.client.close();
      }
      if (code === null || wasBad) return;
      throw new ApplyRefusal(`/destinations/${name}`, {
        code: 'APPLY_DESTINATION',
        kind: 'permanent',
        message: `With the new settings, "${name}" does not answer as it should: ${faultText(code).words} (${code}).`,
        nextStep: 'Compare address, proxy, certificates and sign-in with what the archive gave.',
      });
    }),
  );
}
