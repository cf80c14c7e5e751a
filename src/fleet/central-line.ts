import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Broker } from '../config/remote/channels/broker.ts';
import { Outward } from '../config/remote/channels/outward.ts';

/** How central IT reaches its own server or broker. */
export interface CentralSignIn {
  /** PEM file of authorities trusted in addition to the usual ones. */
  readonly caFile?: string | undefined;
  /** PEM files of a client certificate; both or neither. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** HTTP proxy (CONNECT). */
  readonly proxy?: string | undefined;
  readonly user?: string | undefined;
  readonly passwordFile?: string | undefined;
}

export function outwardOf({ caFile, certFile, keyFile, proxy }: CentralSignIn): Outward {
  return new Outward(
    {
      caFile: caFile ?? null,
      clientCertificate: certFile === undefined || keyFile === undefined ? null : { certFile, keyFile },
      proxy: proxy === undefined ? null : { url: proxy, user: null, passwordFile: null },
    },
    { readText, ownCertificate: () => Promise.resolve(null) },
  );
}

/** @throws GantryError REMOTE_* */
export async function openBroker(url: string, signIn: CentralSignIn): Promise<Broker> {
  const { user, passwordFile } = signIn;
  return Broker.open(url, outwardOf(signIn), {
    clientId: `gantry-central-${randomBytes(6).toString('hex')}`,
    user,
    password: passwordFile === undefined ? undefined : (await readText(passwordFile)).replace(/\r?\n$/, ''),
    keepAliveSeconds: 30,
  });
}

function readText(path: string): Promise<string> {
  return readFile(path, 'utf8');
}

/** Does something for each item, so many at a time; the first failure ends it. */
export async function eachOf<T>(
  items: Iterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
