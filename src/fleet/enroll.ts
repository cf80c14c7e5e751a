import { join } from 'node:path';
import { GantryError } from '../base/errors.ts';
import { signedDocument, wireVersion } from '../config/remote/documents.ts';
import { makeAnswer, openRequest } from '../config/remote/enrolment.ts';
import { replaceFile } from './files.ts';
import { readFleetFolder } from './fleet-folder.ts';
import { keyIdOf } from '../crypto/jws.ts';
import { requireTrust } from './trust-chain.ts';

/**
 * Takes a box into the fleet: its Device file, with the keys it asked with, and an answer that only the box of this
 * claim code believes.
 * @throws GantryError ENROL_CODE, FLEET_DEVICE_EXISTS, FLEET_NO_TRUST
 */
export async function enrollBox(
  directory: string,
  request: Uint8Array,
  code: string,
): Promise<{ readonly device: string; readonly answer: string }> {
  const { device, keys, schemaVersion } = openRequest(request, code);
  const { document, chain } = await requireTrust(directory);
  const known = (await readFleetFolder(directory)).devices.get(device)?.value;
  if (known === undefined) {
    const file = { kind: 'Device', id: device, keys, schemaVersion };
    await replaceFile(join(directory, 'devices', `${device}.json`), `${JSON.stringify(file, null, 2)}\n`);
  } else if (known.keys === undefined || keyIdOf(known.keys.sign) !== keyIdOf(keys.sign)) {
    throw new GantryError({
      code: 'FLEET_DEVICE_EXISTS',
      kind: 'permanent',
      message: `The folder has a Device file of ${device} already, without these keys.`,
      nextStep:
        'Take that file away (keep its labels and overrides), enrol the box, and put them into the new one.',
    });
  }
  const trust = signedDocument.parse(chain.at(-1));
  const answer = {
    apiVersion: wireVersion,
    kind: 'EnrolmentAnswer',
    fleet: document.fleet,
    device,
    trust,
  } as const;
  return { device, answer: makeAnswer(answer, code) };
}
