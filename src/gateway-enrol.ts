import { join } from 'node:path';
import { systemClock } from './base/clock.ts';
import { type Disk, nodeDisk } from './base/disk.ts';
import { GantryError } from './base/errors.ts';
import type { Log } from './base/log.ts';
import { BoxCertificate, boxCertificateBytesMax } from './config/remote/box-certificate.ts';
import { boxName, type FleetName } from './config/remote/documents.ts';
import { configSchemaVersion } from './config/schema-version.ts';
import { fleetRefusals } from './config/remote/refusals.ts';
import type { RemoteMemory } from './config/remote/state.ts';
import { Keyring } from './crypto/keyring.ts';
import { SealedFile } from './crypto/sealed-file.ts';
import type { StartedRooms } from './gateway.ts';
import { requireOwnDirectory } from './gateway-offline.ts';
import { openIdentity } from './gateway-secrets.ts';
import { hasWay, openRemoteState, type Store } from './gateway-store.ts';
import { lockDataDirectory } from './spool/data-lock.ts';
import { holdsData } from './spool/recovery.ts';
import type { EnrolTools } from './web/control-enrol.ts';

/** What of a box enrolment works on. */
export interface EnrolledBox {
  readonly dataDirectory: string;
  readonly disk: Disk;
  readonly keyring: Keyring;
  readonly certificate: BoxCertificate;
  /** This box belongs to a fleet from now on. Durable once it resolves. */
  enrol(enrolment: Omit<NonNullable<RemoteMemory['enrolment']>, 'enrolledAt'>): Promise<void>;
}

export interface EnrolmentAsked {
  /** The request, for central IT. */
  readonly file: string;
  readonly code: string;
  readonly device: string;
}

/** Asks for this box to belong to a fleet. */
export async function requestEnrolment(box: EnrolledBox): Promise<EnrolmentAsked> {
  const { keyring, certificate } = box;
  const device = boxName.parse(keyring.boxId);
  const certificateRequest = await certificate.request(device);
  const identity = await openIdentity(box);
  const { signingKey } = keyring;
  const about = { device, signingKey, schemaVersion: configSchemaVersion, certificateRequest };
  return { ...(await identity.request(about)), device };
}

/** Takes the answer to its request. @throws GantryError ENROL_NONE, ENROL_ANSWER, FLEET_CERTIFICATE* */
export async function acceptEnrolment(box: EnrolledBox, file: Uint8Array): Promise<FleetName> {
  const identity = await openIdentity(box);
  const device = boxName.parse(box.keyring.boxId);
  const { answer, trust } = await identity.check(file, device);
  if (answer.certificate !== undefined) {
    const taken = await box.certificate.take(answer.certificate, device, trust.document);
    if (!taken.ok)
      throw new GantryError({ code: taken.code, kind: 'permanent', ...fleetRefusals[taken.code] });
  }
  await box.enrol({ fleet: answer.fleet, device, trust });
  await identity.close();
  return answer.fleet;
}

/** What the console of the running gateway can do. */
export function createEnrolTools(
  store: Store,
  certificate: BoxCertificate,
  started: () => StartedRooms,
): EnrolTools {
  const { dataDirectory, disk, keyring } = store;
  const enrol: EnrolledBox['enrol'] = (enrolment) => started().agent.enrol(enrolment);
  const box = { dataDirectory, disk, keyring, certificate, enrol };
  return {
    request: () => requestEnrolment(box),
    accept: async (file) => ({
      fleet: await acceptEnrolment(box, Buffer.from(file)),
      hasWay: hasWay(store.current.config),
    }),
  };
}

/**
 * The same without a gateway: it is stopped, or never ran. Then the keys of the box, and with them its id, are made here.
 * @throws GantryError DATA_NONE, DATA_OTHER_OWNER, DATA_UNUSABLE, DATA_LOCKED, KEYS_*; those of the tools
 */
export async function withStoppedBox<T>(
  dataDirectory: string,
  log: Log,
  work: (tools: EnrolTools) => Promise<T>,
): Promise<T> {
  await using stack = new AsyncDisposableStack();
  const box = await openStoppedBox(dataDirectory, log, stack);
  return await work({
    request: () => requestEnrolment(box),
    accept: async (file) => ({ fleet: await acceptEnrolment(box, Buffer.from(file)), hasWay: null }),
  });
}

async function openStoppedBox(
  dataDirectory: string,
  log: Log,
  stack: AsyncDisposableStack,
): Promise<EnrolledBox> {
  await requireOwnDirectory(dataDirectory);
  const [disk, clock] = [nodeDisk, systemClock];
  const lock = await lockDataDirectory(disk, dataDirectory);
  stack.defer(() => lock.release());
  const mayCreate = !(await holdsData(disk, dataDirectory));
  const directory = join(dataDirectory, 'keys');
  const keyring = await Keyring.open({ disk, directory, clock, log, mayCreate });
  const place = { disk, keyring, dataDirectory, log };
  const remote = await openRemoteState(place);
  return {
    dataDirectory,
    disk,
    keyring,
    certificate: await openBoxCertificate(place),
    enrol: (enrolment) => remote.enrol({ ...enrolment, enrolledAt: clock.now() }),
  };
}

interface Place {
  readonly disk: Disk;
  readonly keyring: Keyring;
  readonly dataDirectory: string;
  readonly log: Log;
}

/** The certificate of a box for its ways to central IT. */
export function openBoxCertificate({ disk, keyring, dataDirectory, log }: Place): Promise<BoxCertificate> {
  const path = join(dataDirectory, 'config', 'box-certificate');
  const file = { path, purpose: 'box-certificate', bytesMax: boxCertificateBytesMax };
  return BoxCertificate.open(new SealedFile(disk, keyring, file), (error) =>
    log.error({ code: 'CERTIFICATE_DAMAGED', error }, 'the certificate for central IT cannot be read'),
  );
}
