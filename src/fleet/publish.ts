import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { GantryError } from '../base/errors.ts';
import { recordPath, revocationPath, topicOf } from '../config/remote/channels/port.ts';
import { RecordClient } from '../config/remote/channels/record-client.ts';
import { inBatches } from './batches.ts';
import { type CentralSignIn, eachOf, openBroker, outwardOf } from './central-line.ts';
import { fleetFiles, readIfThere } from './files.ts';
import { type Publication, publicationsIn, replaceDurably } from './record.ts';
import { type RetiredBoxes, retiredIn } from './retired.ts';

/** Where documents go: a folder that a web server shows, a web server that takes them, a broker, a stick. */
export type Destination = { readonly kind: 'folder' | 'stick'; readonly folder: string } | Address;

export interface Address {
  readonly kind: 'https' | 'mqtt';
  readonly url: string;
  readonly signIn: CentralSignIn;
}

export interface Published {
  readonly boxes: number;
  readonly written: number;
  /** Known to be there already. */
  readonly unchanged: number;
  /** Documents of boxes that have left the fleet, taken away. */
  readonly removed: number;
  /** Those that the server does not let be taken away. */
  readonly left: number;
}

const putsAtOnce = 16;
const publicationsAtOnce = 200;

/** Digests of what went to one address, by place: what a server or broker has forgotten is given to it by `all`. */
const sentFile = z.record(z.string(), z.string());

/** What lies at one place of a way. */
interface Item {
  /** Names the place. */
  readonly place: string;
  readonly path: string;
  readonly topic: string;
  /** Null: it goes away. */
  readonly bytes: Buffer | null;
  readonly step: Step;
}

/** Trust comes before what is signed by it, and the proof that a document is newest after that document. */
const steps = ['trust', 'certificate', 'desired', 'freshness', 'command', 'revocations', 'gone'] as const;
type Step = (typeof steps)[number];

/** Of a box that has left; its last report stays. */
const goneKinds = ['certificate', 'desired', 'freshness', 'command'] as const;
const gone = 'gone';

export interface PublishOptions {
  /** Everything once more, whatever went there before. */
  readonly all?: boolean;
  /** What is for this box alone. */
  readonly device?: string | undefined;
}

/**
 * Gives signed documents to one way, only what has changed, and takes away those of boxes that have left the fleet.
 * Nothing is signed here, and nothing needs to be secret.
 * @throws GantryError FLEET_NOTHING_SIGNED, FLEET_SIGNED_UNREADABLE, REMOTE_*; what was written until then stays
 */
export async function publish(
  out: string,
  to: Destination,
  { all = false, device }: PublishOptions = {},
): Promise<Published> {
  const retired = device === undefined ? await retiredIn(out) : { fleet: null, boxes: [] };
  const every = await publicationsIn(out, device).catch((error: unknown) => {
    const isEmpty = error instanceof GantryError && error.code === 'FLEET_NOTHING_SIGNED';
    if (isEmpty && retired.boxes.length > 0) return [];
    throw error;
  });
  const boxes = new Set(every.map((one) => one.device)).size;
  // A folder has one trust document for all; at a broker each box has its own topic for it.
  const documents = [...new Map(every.map((one) => [placeOf(to, one), itemOf(to, one)])).values()];
  if (to.kind !== 'mqtt') documents.push(...(await revocationsIn(out, retired)));
  const leaving = goneItems(to, retired);
  const done =
    'folder' in to
      ? await toFolder(to.kind === 'stick' ? join(to.folder, 'gantry-fleet') : to.folder, documents, leaving)
      : await toAddress(out, to, [...documents, ...leaving], all);
  return { boxes, ...done, unchanged: documents.length - done.written };
}

/** What names the place of a document on one way. */
function placeOf(
  to: Destination,
  { topic, path }: { readonly topic: string; readonly path: string },
): string {
  return to.kind === 'mqtt' ? topic : path;
}

function itemOf(to: Destination, one: Publication): Item {
  const { kind, path, topic, bytes } = one;
  return { place: placeOf(to, one), path, topic, bytes, step: kind };
}

/** The list of revoked certificates lies where web servers can be told to read it; a broker has no use for it. */
async function revocationsIn(out: string, { fleet }: RetiredBoxes): Promise<Item[]> {
  const bytes = await readIfThere(join(out, fleetFiles.publishedRevocations));
  if (bytes === null || fleet === null) return [];
  const path = revocationPath(fleet);
  return [{ place: path, path, topic: '', bytes, step: 'revocations' }];
}

function goneItems(to: Destination, { fleet, boxes }: RetiredBoxes): Item[] {
  if (fleet === null) return [];
  // A broker keeps a trust document for each box, and no command.
  const kinds = to.kind === 'mqtt' ? (['trust', 'certificate', 'desired', 'freshness'] as const) : goneKinds;
  return boxes.flatMap((device) =>
    kinds.map((kind): Item => {
      const at = { path: recordPath(fleet, device, kind), topic: topicOf(fleet, device, kind) };
      return { place: placeOf(to, at), ...at, bytes: null, step: 'gone' };
    }),
  );
}

type Done = Pick<Published, 'written' | 'removed' | 'left'>;

async function toFolder(folder: string, documents: readonly Item[], leaving: readonly Item[]): Promise<Done> {
  let [written, removed] = [0, 0];
  for (const step of steps)
    await inBatches(
      documents.filter((one) => one.step === step),
      async ({ path, bytes }) => {
        const target = join(folder, path);
        if (bytes === null || (await readIfThere(target))?.equals(bytes)) return;
        await replaceDurably(target, bytes);
        written += 1;
      },
    );
  for (const { path } of leaving) {
    const target = join(folder, path);
    if ((await readIfThere(target)) === null) continue;
    await rm(target);
    removed += 1;
  }
  return { written, removed, left: 0 };
}

async function toAddress(out: string, to: Address, items: readonly Item[], all: boolean): Promise<Done> {
  const note = join(out, `.sent-${createHash('sha256').update(to.url).digest('hex').slice(0, 16)}`);
  const before = all ? null : await readIfThere(note);
  const known = before === null ? null : sentFile.safeParse(JSON.parse(before.toString()));
  const sent = new Map(Object.entries(known?.success === true ? known.data : {}));
  const due = items.filter(({ place, bytes }) => sent.get(place) !== digestOf(bytes));
  const done = { written: 0, removed: 0, left: 0 };
  if (due.length === 0) return done;
  await using line = await openLine(to);
  try {
    for (const step of steps)
      await eachOf(
        due.filter((one) => one.step === step),
        line.atOnce,
        async (item) => {
          if (!(await line.send(item))) {
            done.left += 1;
            return;
          }
          done[item.bytes === null ? 'removed' : 'written'] += 1;
          sent.set(item.place, digestOf(item.bytes));
        },
      );
  } finally {
    await replaceDurably(note, JSON.stringify(Object.fromEntries(sent)));
  }
  return done;
}

interface Line extends AsyncDisposable {
  readonly atOnce: number;
  /** @returns false where it cannot be taken away */
  send(item: Item): Promise<boolean>;
}

async function openLine({ kind, url, signIn }: Address): Promise<Line> {
  if (kind === 'https') {
    const client = new RecordClient(url, outwardOf(signIn), putsAtOnce);
    return {
      atOnce: putsAtOnce,
      send: async ({ path, bytes }) => {
        if (bytes === null) return client.remove(path);
        await client.put(path, bytes);
        return true;
      },
      [Symbol.asyncDispose]: () => client.close(),
    };
  }
  const broker = await openBroker(url, signIn);
  return {
    atOnce: publicationsAtOnce,
    // Acknowledged one by one. A command is not kept: it is for a box that is there now. Nothing makes a broker forget.
    send: async ({ topic, bytes, step }) => {
      await broker.publish(topic, bytes ?? Buffer.alloc(0), step !== 'command');
      return true;
    },
    [Symbol.asyncDispose]: () => broker.close(),
  };
}

function digestOf(bytes: Buffer | null): string {
  return bytes === null ? gone : createHash('sha256').update(bytes).digest('hex');
}
