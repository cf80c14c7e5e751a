import type { Log } from './base/log.ts';
import { boxName, type FleetName } from './config/remote/documents.ts';
import { configSchemaVersion } from './config/schema-version.ts';
import { openIdentity } from './gateway-secrets.ts';
import { openStore } from './gateway-store.ts';

/** A box whose gateway is not running asks to belong to a fleet. @throws GantryError as opening its data does */
export async function requestEnrolment(
  dataDirectory: string,
  log: Log,
): Promise<{ readonly file: string; readonly code: string; readonly device: string }> {
  await using stack = new AsyncDisposableStack();
  const store = await openStore({ dataDirectory, configText: null, log }, stack);
  const device = boxName.parse(store.keyring.boxId);
  const { signingKey } = store.keyring;
  const box = { device, signingKey, schemaVersion: configSchemaVersion };
  return { ...(await (await openIdentity(store)).request(box)), device };
}

/** Takes the answer to its request. @throws GantryError ENROL_NONE, ENROL_ANSWER */
export async function acceptEnrolment(
  dataDirectory: string,
  answer: Uint8Array,
  log: Log,
): Promise<FleetName> {
  await using stack = new AsyncDisposableStack();
  const store = await openStore({ dataDirectory, configText: null, log }, stack);
  const identity = await openIdentity(store);
  const device = boxName.parse(store.keyring.boxId);
  const { answer: checked, trust } = await identity.check(answer, device);
  await store.remote.enrol({ fleet: checked.fleet, device, trust, enrolledAt: store.clock.now() });
  await identity.close();
  return checked.fleet;
}
