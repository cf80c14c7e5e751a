import { createPublicKey } from 'node:crypto';
import { GantryError, type Reason } from './base/errors.ts';
import type { Keyring } from './crypto/keyring.ts';
import type { Destination } from './gateway-destination.ts';
import { type ReceiptStore, verifyReceipt } from './proof/receipt.ts';
import { parseObjectId } from './spool/object-id.ts';
import { brokenHereCodes } from './spool/reasons.ts';
import type { Spool } from './spool/spool.ts';
import { type DeliveryKey, type DeliveryState, type ObjectId, retriedStates } from './spool/types.ts';
import type { BandwidthView, Operator, ReceiptSummary, Selection } from './web/operator.ts';

interface OperatorParts {
  readonly spool: Spool;
  readonly receipts: ReceiptStore;
  readonly keyring: Keyring;
  /** None where the gateway is not running. */
  readonly destinations?: readonly Destination[];
}

type Choice = { objectIds?: ObjectId[]; destination?: string };

/** What an operator can do, on a running gateway or on the data directory of a stopped one. */
export function createOperator({ spool, receipts, keyring, destinations = [] }: OperatorParts): Operator {
  const publicKey = createPublicKey(keyring.signingKey);
  const readReceipt = async (studyKey: string) => {
    const jws = await receipts.read(studyKey);
    if (jws === null) throw noReceipt();
    return { jws, content: await verifyReceipt(jws, publicKey) };
  };
  return {
    list: async ({ state, destination, limit, after }) => {
      const filter = {
        ...(state === null ? {} : { states: [state] }),
        ...(destination === null ? {} : { destination }),
      };
      const entries = await spool.entries(filter, after === null ? null : parseCursor(after), limit);
      const last = entries.at(-1);
      const more = entries.length === limit && last !== undefined;
      return { entries, next: more ? `${last.objectId}/${last.destination}` : null };
    },
    retry: (selection) => sendAgain(spool, selection, retriedStates),
    release: async (selection, to) => {
      if (to === undefined) return sendAgain(spool, selection, ['held', 'quarantined']);
      const { name } = named(destinations, to);
      const configured = destinations.map((one) => one.name);
      return changeStates(selection, ['queued', 'delivered', 'held', 'quarantined'], (choice, states) =>
        spool.sendElsewhere({ ...choice, states }, name, configured),
      );
    },
    discard: (selection) =>
      changeStates(selection, ['queued', 'held', 'quarantined', 'conflict', 'accepted'], (choice, states) =>
        spool.discard({ ...choice, states }),
      ),
    resolve: (objectId, choice) => spool.resolveConflict(objectId as ObjectId, choice),
    hurry: (objectIds) => spool.hurry(objectIds as ObjectId[]),
    bandwidth: async () => destinations.map(bandwidthOf),
    limitBandwidth: async (name, mbitPerSecond) =>
      named(destinations, name).forwarder.limitBandwidth(mbitPerSecond),
    clearBandwidth: async (name) => named(destinations, name).forwarder.clearBandwidth(),
    forgetAbilities: (destination) => spool.codec.forgetAbilities(destination),
    scrub: async () => {
      const startedAt = performance.now();
      const report = await spool.scrub();
      return { ...report, seconds: Math.round((performance.now() - startedAt) / 100) / 10 };
    },
    receipts: async () => {
      const summaries: ReceiptSummary[] = [];
      for (const studyKey of await receipts.list()) {
        const { content } = await readReceipt(studyKey);
        summaries.push({
          studyKey,
          number: content.number,
          writtenAt: Date.parse(content.issuedAt),
          instances: content.instances.length,
        });
      }
      return summaries;
    },
    receipt: readReceipt,
  };
}

function bandwidthOf({ name, forwarder }: Destination): BandwidthView {
  const { limit, goodputBytesPerSecond } = forwarder.state().line;
  const measured = goodputBytesPerSecond === null ? null : (goodputBytesPerSecond * 8) / 1e6;
  return { destination: name, ...limit, measuredMbitPerSecond: measured };
}

/** @throws GantryError DESTINATION_UNKNOWN, GATEWAY_NOT_RUNNING */
export function named(destinations: readonly Destination[], name: string): Destination {
  if (destinations.length === 0) throw notRunning();
  const found = destinations.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = destinations.map((one) => `"${one.name}"`).join(', ');
  throw new GantryError({
    code: 'DESTINATION_UNKNOWN',
    kind: 'permanent',
    message: 'The running gateway has no destination of that name.',
    nextStep: `Give one of these: ${names}.`,
  });
}

function notRunning(): GantryError {
  return new GantryError({
    code: 'GATEWAY_NOT_RUNNING',
    kind: 'permanent',
    message: 'Only a running gateway knows which destinations are configured.',
    nextStep: 'Start the gateway, then give the command again.',
  });
}

/** @throws GantryError QUEUE_PAGE where the text is no `next` of a page before */
function parseCursor(text: string): DeliveryKey {
  const objectId = parseObjectId(text.slice(0, 32));
  if (objectId !== null && text[32] === '/') return { objectId, destination: text.slice(33) };
  throw new GantryError({
    code: 'QUEUE_PAGE',
    kind: 'permanent',
    message: 'There is no such page of the queue.',
    nextStep: 'Ask for the first page, and then with the "next" of each page for the one after it.',
  });
}

/** Carries the operator's choice out on the states the command is for. */
function changeStates(
  selection: Selection,
  allowed: readonly DeliveryState[],
  change: (choice: Choice, states: readonly DeliveryState[]) => Promise<number>,
): Promise<number> {
  if ('objectIds' in selection) return change({ objectIds: selection.objectIds as ObjectId[] }, allowed);
  const { destination, state } = selection;
  const states = state === undefined ? allowed : allowed.filter((one) => one === state);
  return change(destination === undefined ? {} : { destination }, states);
}

/** @throws GantryError OBJECT_* where one of the objects named is broken and none of them can be sent */
async function sendAgain(
  spool: Spool,
  selection: Selection,
  allowed: readonly DeliveryState[],
): Promise<number> {
  const count = await changeStates(selection, allowed, (choice, states) => spool.retry(choice, states));
  if (count > 0 || !('objectIds' in selection)) return count;
  const objectIds = selection.objectIds as ObjectId[];
  const entries = await spool.entries({ objectIds }, null, objectIds.length);
  const reason = entries.map((one) => one.reason).find((one) => brokenHereCodes.includes(one?.code ?? ''));
  if (reason) throw broken(reason);
  return count;
}

function broken({ code, words }: Reason): GantryError {
  return new GantryError({
    code,
    kind: 'permanent',
    message: `This object cannot be sent. ${words}`,
    nextStep:
      'Send it again from its modality, then give up this one with "gantry queue discard". If the disk was away, put it back: "gantry scrub" finds what is whole again.',
  });
}

function noReceipt(): GantryError {
  return new GantryError({
    code: 'RECEIPT_NOT_FOUND',
    kind: 'permanent',
    message: 'There is no receipt for this study.',
    nextStep:
      'List what there is with "gantry receipts ls"; a receipt is written once its study has settled.',
  });
}
