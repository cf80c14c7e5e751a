import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { lifeOf } from '../base/certificate.ts';
import {
  type CertificateRequest,
  type DeviceAuthority,
  issueCertificate,
  makeRevocationList,
} from '../crypto/device-authority.ts';
import { inBatches } from './batches.ts';
import { fleetFiles, readIfThere, replaceFile } from './files.ts';

const instant = z.iso.datetime();

const issued = z.strictObject({
  /** Hex. */
  serial: z.string(),
  /** SHA-256 (hex) of its public key. */
  keySha256: z.string(),
  notBefore: instant,
  notAfter: instant,
  revoked: z.strictObject({ at: instant, reason: z.string() }).nullable(),
  /** PEM. */
  cert: z.string(),
});
export type IssuedRecord = z.output<typeof issued>;

const recordFile = z.strictObject({ name: z.string(), certificates: z.array(issued) });

/** What was issued to whom, kept in the git folder (`certificates/NAME.json`), the newest first. */
export class CertificateRecord {
  readonly #directory: string;
  readonly #fleetDirectory: string;

  constructor(fleetDirectory: string) {
    this.#fleetDirectory = fleetDirectory;
    this.#directory = join(fleetDirectory, fleetFiles.certificates);
  }

  /** @throws GantryError FLEET_CERTIFICATES_DAMAGED */
  async read(name: string): Promise<readonly IssuedRecord[]> {
    const bytes = await readIfThere(this.#path(name));
    if (bytes === null) return [];
    try {
      const record = recordFile.parse(JSON.parse(bytes.toString()));
      if (record.name === name) return record.certificates;
    } catch (cause) {
      throw damaged(name, cause);
    }
    throw damaged(name);
  }

  /** Everybody who ever got one, by name. @throws GantryError FLEET_CERTIFICATES_DAMAGED */
  async all(): Promise<ReadonlyMap<string, readonly IssuedRecord[]>> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return [];
      throw error;
    });
    const known = names.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -5));
    const read = await inBatches(known.toSorted(), async (name) => [name, await this.read(name)] as const);
    return new Map(read);
  }

  /**
   * Issues a certificate for the key of a request, and records it before it is handed out. Where that key has one
   * already that is good for some time, it is that one.
   * @throws GantryError FLEET_CERTIFICATE_REVOKED where it was taken from that key
   */
  async issue(
    authority: DeviceAuthority,
    request: CertificateRequest,
    { name, days, now }: { readonly name: string; readonly days: number; readonly now: Date },
  ): Promise<{ readonly certificate: IssuedRecord; readonly isNew: boolean }> {
    const before = await this.read(name);
    const ofKey = before.filter(({ keySha256 }) => keySha256 === request.keySha256);
    if (ofKey.some(({ revoked }) => revoked !== null)) throw revokedKey(name);
    const [known] = ofKey;
    if (known !== undefined && isGood(known, now)) return { certificate: known, isNew: false };
    const made = await issueCertificate(authority, request, { name, days, now });
    const certificate: IssuedRecord = {
      serial: made.serial,
      keySha256: request.keySha256,
      notBefore: made.notBefore.toISOString(),
      notAfter: made.notAfter.toISOString(),
      revoked: null,
      cert: made.cert,
    };
    await this.#write(name, [certificate, ...before]);
    return { certificate, isNew: true };
  }

  /** Takes back every certificate that somebody has; those that have ended too, as clocks differ. @returns how many */
  async revoke(name: string, reason: string, now: Date): Promise<number> {
    const before = await this.read(name);
    const due = before.filter(({ revoked }) => revoked === null);
    if (due.length === 0) return 0;
    const revoked = { at: now.toISOString(), reason };
    await this.#write(
      name,
      before.map((one) => (one.revoked === null ? { ...one, revoked } : one)),
    );
    return due.length;
  }

  /** Signs the list of all that were taken back, into the git folder. @returns how many there are, and the list (PEM) */
  async writeRevocations(
    authority: DeviceAuthority,
    now: Date,
  ): Promise<{ readonly count: number; readonly pem: string }> {
    const every = [...(await this.all()).values()].flat();
    const revoked = every.flatMap(({ serial, revoked: one }) =>
      one === null ? [] : [{ serial, at: new Date(one.at) }],
    );
    const number = Math.floor(now.getTime() / 1000);
    const pem = await makeRevocationList(authority, revoked, { number, now });
    await replaceFile(join(this.#fleetDirectory, fleetFiles.revocations), pem);
    return { count: revoked.length, pem };
  }

  async #write(name: string, certificates: readonly IssuedRecord[]): Promise<void> {
    await replaceFile(this.#path(name), `${JSON.stringify({ name, certificates }, null, 1)}\n`);
  }

  #path(name: string): string {
    return join(this.#directory, `${name}.json`);
  }
}

/** Not yet in the last third of its life, in which boxes ask for another one. */
function isGood({ notBefore, notAfter }: IssuedRecord, now: Date): boolean {
  const validity = { notBefore: Date.parse(notBefore), notAfter: Date.parse(notAfter) };
  return lifeOf(validity, now.getTime()) === 'ok';
}

function revokedKey(name: string): GantryError {
  return new GantryError({
    code: 'FLEET_CERTIFICATE_REVOKED',
    kind: 'permanent',
    message: `The certificate for this key of ${name} has been revoked.`,
    nextStep: 'A box that is trusted again asks anew with an empty data directory.',
  });
}

function damaged(name: string, cause?: unknown): GantryError {
  return new GantryError(
    {
      code: 'FLEET_CERTIFICATES_DAMAGED',
      kind: 'permanent',
      message: `What certificates ${name} was given cannot be read from certificates/${name}.json.`,
      nextStep: 'Bring the file back with git: without it nothing of it can be revoked.',
    },
    { cause },
  );
}
