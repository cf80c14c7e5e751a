import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BoxName, boxName, type FleetName, fleetName } from '../../src/config/remote/documents.ts';
import type { TrustState } from '../../src/config/remote/trust.ts';
import { okpJwk } from '../../src/crypto/jws.ts';
import { signed, trustOf, trustState } from '../fixtures/fleet-kit.ts';

/** The fleet of the simulation. */
export const simulated: FleetName = fleetName.parse('acme');

/** The bytes kept free with which the boxes of {@link refuses} do not take a configuration. */
export const badReserve = 900_000_000_000;

export function boxAt(index: number): BoxName {
  return boxName.parse(`BENCH-${String(index).padStart(5, '0')}`);
}

/** One box in twenty-five finds something wrong with a configuration that has {@link badReserve}. */
export function refuses(box: BoxName): boolean {
  return Number(box.slice(-5)) % 25 === 7;
}

/** What each box signs its reports with: made of its name, so that two processes have the same. */
export function boxKey(box: BoxName): KeyObject {
  // PKCS#8 of an Ed25519 seed (RFC 8410 section 7).
  const head = Buffer.from('302e020100300506032b657004220420', 'hex');
  const seed = createHash('sha256').update(box).digest();
  return createPrivateKey({ key: Buffer.concat([head, seed]), format: 'der', type: 'pkcs8' });
}

export function configOf(reserveBytes: number): Readonly<Record<string, unknown>> {
  return {
    site: { timeZone: 'Europe/Berlin' },
    intake: { aeTitle: 'GANTRY', aliases: ['ARCHIVE'], limits: { associationsMax: 32 } },
    modalities: Object.fromEntries(
      Array.from({ length: 8 }, (_, at) => [`ct${at}`, { aeTitle: `CT${at}`, addresses: ['10.4.1.0/24'] }]),
    ),
    destinations: { cloud: { type: 'stow', url: 'https://archive.example/dicom-web/studies' } },
    spool: { reserveBytes },
  };
}

/** Writes a git folder with so many boxes in it, and the trust document they were enrolled with. */
export async function writeFleet(directory: string, boxes: number, key: KeyObject): Promise<TrustState> {
  for (const folder of ['layers', 'devices', 'rollouts'])
    mkdirSync(join(directory, folder), { recursive: true });
  writeFileSync(join(directory, 'fleet.yaml'), `kind: Fleet\nname: ${simulated}\n`);
  writeLayer(directory, 2_000_000_000);
  const seal = okpJwk(generateKeyPairSync('x25519').publicKey);
  for (let at = 0; at < boxes; at += 1) {
    const id = boxAt(at);
    const labels = { region: ['north', 'south', 'east', 'west'][at % 4] ?? '' };
    const overrides = { site: { name: `Clinic ${at}`, labels } };
    const keys = { sign: okpJwk(boxKey(id)), seal };
    writeFileSync(
      join(directory, 'devices', `${id}.json`),
      JSON.stringify({ kind: 'Device', id, labels, keys, schemaVersion: 2, overrides }),
    );
  }
  const trust = trustOf([[key, ['config', 'redirect', 'trust', 'timestamp', 'command']]], {
    fleet: simulated,
  });
  writeFileSync(join(directory, 'trust.jws'), JSON.stringify([await signed('gantry-trust', trust, key)]));
  return trustState(trust);
}

/** What the one layer says from now on. */
export function writeLayer(directory: string, reserveBytes: number): void {
  const layer = { kind: 'Layer', name: 'base', priority: 0, config: configOf(reserveBytes) };
  writeFileSync(join(directory, 'layers', 'base.json'), JSON.stringify(layer));
}

/** A change in three waves, of which one bad box in forty is too many. */
export function writeRollout(directory: string, id: string): void {
  const rollout = {
    kind: 'Rollout',
    id,
    waves: [1, '5 %', '25 %', '100 %'],
    soakMinutes: 0,
    errorPercent: 2.5,
  };
  writeFileSync(join(directory, 'rollouts', `${id}.json`), JSON.stringify(rollout));
}
