import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { RecordClient } from '../config/remote/channels/record-client.ts';
import { type CentralSignIn, eachOf, openBroker, outwardOf } from './central-line.ts';
import { readIfThere } from './files.ts';
import { type Publication, publicationsIn, replaceDurably } from './record.ts';

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
}

const putsAtOnce = 16;
const publicationsAtOnce = 200;

/** Digests of what went to one address, by place: what a server or broker has forgotten is given to it by `all`. */
const sentFile = z.record(z.string(), z.string());

/**
 * Gives signed documents to one way, only what has changed. Nothing is signed here, and nothing needs to be secret.
 * @param all everything once more, whatever went there before
 * @throws GantryError FLEET_NOTHING_SIGNED, FLEET_SIGNED_UNREADABLE, REMOTE_*; what was written until then stays
 */
export async function publish(out: string, to: Destination, all = false): Promise<Published> {
  const every = await publicationsIn(out);
  const boxes = new Set(every.map(({ device }) => device)).size;
  // A folder has one trust document for all; at a broker each box has its own topic for it.
  const documents = [...new Map(every.map((one) => [placeOf(to, one), one])).values()];
  const written =
    'folder' in to
      ? await toFolder(to.kind === 'stick' ? join(to.folder, 'gantry-fleet') : to.folder, documents)
      : await toAddress(out, to, documents, all);
  return { boxes, written, unchanged: documents.length - written };
}

/** What names the place of a document on one way. */
function placeOf(to: Destination, { topic, path }: Publication): string {
  return to.kind === 'mqtt' ? topic : path;
}

async function toFolder(folder: string, documents: readonly Publication[]): Promise<number> {
  let written = 0;
  for (const { path, bytes } of documents) {
    const target = join(folder, path);
    if ((await readIfThere(target))?.equals(bytes)) continue;
    await replaceDurably(target, bytes);
    written += 1;
  }
  return written;
}

async function toAddress(
  out: string,
  to: Address,
  documents: readonly Publication[],
  all: boolean,
): Promise<number> {
  const note = join(out, `.sent-${createHash('sha256').update(to.url).digest('hex').slice(0, 16)}`);
  const before = all ? null : await readIfThere(note);
  const known = before === null ? null : sentFile.safeParse(JSON.parse(before.toString()));
  const sent = new Map(Object.entries(known?.success === true ? known.data : {}));
  const due = documents.filter((one) => sent.get(placeOf(to, one)) !== digestOf(one.bytes));
  if (due.length === 0) return 0;
  await using line = await openLine(to);
  try {
    // Trust comes before what is signed by it, and the proof that a document is newest after that document.
    for (const kind of ['trust', 'desired', 'freshness', 'command'] as const)
      await eachOf(
        due.filter((one) => one.kind === kind),
        line.atOnce,
        async (document) => {
          await line.send(document);
          sent.set(placeOf(to, document), digestOf(document.bytes));
        },
      );
  } finally {
    await replaceDurably(note, JSON.stringify(Object.fromEntries(sent)));
  }
  return due.length;
}

interface Line extends AsyncDisposable {
  readonly atOnce: number;
  send(document: Publication): Promise<void>;
}

async function openLine({ kind, url, signIn }: Address): Promise<Line> {
  if (kind === 'https') {
    const client = new RecordClient(url, outwardOf(signIn), putsAtOnce);
    return {
      atOnce: putsAtOnce,
      send: ({ path, bytes }) => client.put(path, bytes),
      [Symbol.asyncDispose]: () => client.close(),
    };
  }
  const broker = await openBroker(url, signIn);
  return {
    atOnce: publicationsAtOnce,
    // Acknowledged one by one. A command is not kept: it is for a box that is there now.
    send: (document) => broker.publish(document.topic, document.bytes, document.kind !== 'command'),
    [Symbol.asyncDispose]: () => broker.close(),
  };
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
