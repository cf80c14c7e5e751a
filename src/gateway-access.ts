import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GantryError } from './base/errors.ts';
import { version } from './base/version.ts';
import { Passwords } from './crypto/password.ts';
import { SealedFile } from './crypto/sealed-file.ts';
import { checkTechnicianCode, makeTechnicianCode, technicianKey } from './crypto/technician-code.ts';
import type { Store } from './gateway-store.ts';
import { Access } from './web/access.ts';
import { accessRoutes } from './web/access-routes.ts';
import { AccessStore } from './web/access-store.ts';
import type { ApiParts } from './web/api-registrar.ts';
import type { ApiRoute, ApiStream } from './web/api-route.ts';
import { type AuditFiles, AuditLog } from './web/audit-log.ts';
import { auditRoutes } from './web/audit-routes.ts';
import type { ConsoleAuth } from './web/control.ts';
import { openApiRoute } from './web/open-api.ts';
import { webLimits } from './web/server.ts';
import { Sessions } from './web/sessions.ts';
import { SignInLimiter } from './web/sign-in-limiter.ts';

const mebibyte = 1024 * 1024;
/** The name of the key that every box has, for codes made on it. */
const ownKeyName = 'this box';

/** Who may do what on this box, and the record of it. */
export interface AccessHouse {
  readonly audit: AuditLog;
  readonly console: ConsoleAuth;
  /** What whoever first signs in has to type; null where there is somebody who can. */
  readonly pairingCode: string | null;
  /** All calls of the API: those given, and those of signing in, the audit log and the document. */
  api(routes: readonly ApiRoute[], streams: readonly ApiStream[]): ApiParts;
}

/** Opens users, tokens and the audit log of a data directory. */
export async function openAccess(store: Store): Promise<AccessHouse> {
  const { disk, keyring, clock, log, dataDirectory } = store;
  const audit = new AuditLog(auditFiles(store), clock, log);
  await audit.start();
  const place = { path: join(dataDirectory, 'access', 'state'), purpose: 'access', bytesMax: mebibyte };
  const accessStore = new AccessStore(new SealedFile(disk, keyring, place));
  await accessStore.open(log);
  const sessions = new Sessions(clock);
  const keys = (): Record<string, KeyObject> => ({
    ...Object.fromEntries(
      Object.entries(store.current.config.access.technicianKeys).map(([name, text]) => [
        name,
        technicianKey(text),
      ]),
    ),
    [ownKeyName]: createPublicKey(keyring.signingKey),
  });
  const access = new Access({
    store: accessStore,
    sessions,
    limiter: new SignInLimiter(clock),
    passwords: new Passwords(),
    get configured() {
      return store.current.config.users;
    },
    checkCode: (code) => checkTechnicianCode(code, keys(), keyring.boxId, clock.now()),
    audit: (action) => audit.add(action),
    clock,
  });
  const source = {
    box: keyring.boxId,
    get site() {
      return store.current.config.site.name;
    },
  };
  const pairingCode = await access.pairing.start().catch((error: unknown) => {
    log.error({ code: 'PAIRING_START', error }, 'no pairing code could be made');
    return null;
  });
  return {
    audit,
    pairingCode,
    console: {
      reset: () => access.reset(),
      makeCode: (name) =>
        makeTechnicianCode(keyring.signingKey, { box: keyring.boxId, name, madeAt: clock.now() }),
    },
    api: (given, streams) => {
      const routes = [...accessRoutes(access, sessions), ...auditRoutes(audit, source), ...given];
      return {
        routes: [...routes, openApiRoute(routes, streams, version)],
        streams,
        identify: (credentials, how) => access.identify(credentials, how),
        audit: (action) => audit.add(action),
        streamLimits: webLimits,
        clock,
        log,
      };
    },
  };
}

/** Every file of the audit log is sealed under its own number, so that none passes for another. */
function auditFiles({ disk, keyring, dataDirectory }: Store): AuditFiles {
  const directory = join(dataDirectory, 'audit');
  const sealed = (name: string) =>
    new SealedFile(disk, keyring, {
      path: join(directory, name),
      purpose: `audit-${name}`,
      bytesMax: mebibyte,
    });
  const nameOf = (file: number) => String(file).padStart(8, '0');
  return {
    list: async () => (await disk.list(directory)).filter((name) => /^\d{8}$/.test(name)).map(Number),
    read: (file) => sealed(nameOf(file)).read(),
    write: (file, content) => sealed(nameOf(file)).write(content),
    remove: (file) => disk.remove(join(directory, nameOf(file))),
    readEnd: () => sealed('end').read(),
    writeEnd: (content) => sealed('end').write(content),
  };
}

/** Sends the audit log on, where the configuration says so. @returns what ends it; null where nothing is sent */
export async function startSyslog(
  store: Store,
  { audit }: AccessHouse,
): Promise<(() => Promise<void> | void) | null> {
  const { disk, keyring, current, dataDirectory, log } = store;
  const { syslog } = current.config.audit;
  if (syslog === null) return null;
  const { AuditSyslog } = await import('./web/audit-syslog.ts');
  const place = { path: join(dataDirectory, 'audit', 'sent'), purpose: 'audit-sent', bytesMax: 1024 };
  const file = new SealedFile(disk, keyring, place);
  const sender = new AuditSyslog({
    ...syslog,
    ca: async () => (syslog.caFile === null ? null : await readFile(syslog.caFile, 'utf8')),
    source: { box: keyring.boxId, site: current.config.site.name },
    audit,
    sent: {
      read: async () => Number((await file.read())?.toString() ?? 0),
      write: (number) => file.write(Buffer.from(String(number))),
    },
    log,
  });
  sender.start();
  return () => sender.stop();
}

/** What `users` of the configuration keeps of a password. */
export function hashPassword(password: string): Promise<string> {
  return new Passwords().hash(password);
}

/** A pair of keys for technician codes: the private one as PEM, the public one as the configuration takes it. */
export function makeTechnicianKeys(): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
  };
}

/** @throws GantryError USAGE_KEY where the text is no Ed25519 private key */
export function makeCodeWithKey(pem: string, box: string, name: string): string {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('another kind of key');
  } catch (cause) {
    throw new GantryError(
      {
        code: 'USAGE_KEY',
        kind: 'permanent',
        message: 'The file holds no Ed25519 private key in PEM form.',
        nextStep: 'Give the file that "gantry auth keygen" made.',
      },
      { cause },
    );
  }
  return makeTechnicianCode(key, { box, name, madeAt: Date.now() });
}
