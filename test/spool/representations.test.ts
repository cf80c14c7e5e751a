import { rmSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { filesBelow, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { admit, openSpool, writeReceipts } from '../fixtures/open-spool.ts';
import {
  again,
  codec,
  compressible,
  contentOf,
  delivered,
  prepare,
  prepared,
  reason,
  sealedCount,
  settle,
  sha256,
  syntax,
  take,
  waiting,
} from '../fixtures/prepared-spool.ts';
import { flipBit, storedObjects, vanish } from '../fixtures/stored-objects.ts';

/* The second form of an instance: only what is durable, settled and not refused is ever sent. */

const dayMs = 86_400_000;

it('sends nothing before the codec has looked, then the prepared form, byte for byte', async () => {
  using data = temporaryDirectory();
  const { spool, stop } = await openSpool(data.path, { codec });
  const made = compressible();
  await admit(spool, made);
  expect(await take(spool)).toEqual([]);
  expect(await spool.nextForwardAt('cloud')).toBeNull();
  const { objectId, preparedId } = await prepared(spool);
  const [item] = await take(spool);
  expect(item).toMatchObject({ objectId, sentId: preparedId, form: 'prepared' });
  await using sent = await spool.open(preparedId);
  expect(sent.facts).toMatchObject({ kind: 'prepared', sourceId: objectId, TransferSyntaxUID: syntax });
  expect(sent.facts.SOPInstanceUID).toBe(made.admission.SOPInstanceUID);
  expect(item?.bytes).toBe(sent.facts.dataSetBytes);
  expect(inflateSync(await contentOf(sent))).toEqual(made.dataSet);
  await stop();
});

it('sends as received what the codec passes, and removes what it had written of it', async () => {
  using data = temporaryDirectory();
  const { spool, stop } = await openSpool(data.path, { codec });
  await admit(spool, compressible());
  const { objectId, ...rest } = await waiting(spool);
  const preparedId = await prepare(spool, { objectId, ...rest }, true);
  await spool.codec.settlePrepare([{ objectId, to: 'as-received', reason }]);
  expect(await take(spool)).toMatchObject([{ sentId: objectId, form: 'received' }]);
  await expect(spool.open(preparedId)).rejects.toThrow(expect.objectContaining({ code: 'OBJECT_NOT_FOUND' }));
  await stop();
});

it('keeps the form on every attempt, across restarts and though another would be chosen now', async () => {
  using data = temporaryDirectory();
  const first = await openSpool(data.path, { codec });
  await admit(first.spool, compressible());
  const { objectId, preparedId } = await prepared(first.spool);
  await take(first.spool);
  await settle(first.spool, objectId, { ...again, outcomeUnknown: true });
  await using before = await first.spool.open(preparedId);
  const digest = sha256(await contentOf(before));
  // A second one is refused, so that no new instance would go in this form.
  await admit(first.spool, compressible());
  const other = await prepared(first.spool);
  const items = await take(first.spool);
  expect(items.map(({ sentId }) => sentId).toSorted()).toEqual([preparedId, other.preparedId].toSorted());
  await settle(first.spool, other.objectId, { ...again, asReceived: 'syntax-refused' });
  await first.stop();
  const second = await openSpool(data.path);
  const retaken = await take(second.spool);
  expect(retaken.find((item) => item.objectId === objectId)).toMatchObject({
    sentId: preparedId,
    form: 'prepared',
  });
  expect(retaken.find((item) => item.objectId === other.objectId)).toMatchObject({ form: 'received' });
  await using after = await second.spool.open(preparedId);
  expect(sha256(await contentOf(after))).toBe(digest);
  await second.stop();
});

it('remembers that an archive refuses a transfer syntax, and believes it for thirty days', async () => {
  using data = temporaryDirectory();
  const clock = new ManualClock();
  const { spool, stop } = await openSpool(data.path, { codec, clock });
  const made = compressible();
  const { SOPClassUID } = made.admission;
  await admit(spool, made);
  const { objectId } = await prepared(spool);
  expect(spool.codec.accepts('cloud', SOPClassUID, syntax)).toBeNull();
  await take(spool);
  await settle(spool, objectId, { ...again, asReceived: 'syntax-refused' });
  expect(spool.codec.accepts('cloud', SOPClassUID, syntax)).toBe(false);
  expect(await take(spool)).toMatchObject([{ sentId: objectId, form: 'received' }]);
  await settle(spool, objectId, delivered);
  await admit(spool, compressible());
  await prepared(spool);
  expect(await take(spool)).toMatchObject([{ form: 'received' }]);
  await stop();
  clock.advance(31 * dayMs);
  const later = await openSpool(data.path, { codec, clock });
  expect(later.spool.codec.accepts('cloud', SOPClassUID, syntax)).toBeNull();
  await later.stop();
});

it('learns from a refused object only where the received form was taken', async () => {
  using data = temporaryDirectory();
  const { spool, stop } = await openSpool(data.path, { codec });
  const made = compressible();
  const { SOPClassUID } = made.admission;
  await admit(spool, made);
  const { objectId } = await prepared(spool);
  await take(spool);
  await settle(spool, objectId, { ...again, asReceived: 'refused' });
  expect(spool.codec.accepts('cloud', SOPClassUID, syntax)).toBeNull();
  await take(spool);
  await settle(spool, objectId, delivered);
  expect(spool.codec.accepts('cloud', SOPClassUID, syntax)).toBe(false);
  await stop();
});

it('removes a prepared object that was not settled before a crash, and has it prepared again', async () => {
  using data = temporaryDirectory();
  const first = await openSpool(data.path, { codec });
  await admit(first.spool, compressible());
  const item = await waiting(first.spool);
  const stray = await prepare(first.spool, item, true);
  expect(sealedCount(data.path)).toBe(2);
  await first.stop();
  const second = await openSpool(data.path, { codec });
  expect(sealedCount(data.path)).toBe(1);
  await expect(second.spool.open(stray)).rejects.toThrow();
  expect(await take(second.spool)).toEqual([]);
  const { preparedId } = await prepared(second.spool);
  expect(await take(second.spool)).toMatchObject([{ sentId: preparedId }]);
  await second.stop();
});

it('brings an instance back from its prepared object, where that is all that is left', async () => {
  using data = temporaryDirectory();
  const first = await openSpool(data.path, { codec });
  await admit(first.spool, compressible());
  const { objectId, preparedId } = await prepared(first.spool);
  await first.stop();
  for (const name of filesBelow(data.path)) if (/ledger\.db/.test(name)) rmSync(name);
  vanish(storedObjects(data.path).find((one) => one.id === objectId));
  const second = await openSpool(data.path, { codec });
  expect(storedObjects(data.path).map(({ id }) => id)).toEqual([preparedId]);
  expect(await second.spool.entries({}, null, 10)).toMatchObject([{ objectId, state: 'delivered' }]);
  await second.stop();
});

it('lets the first prepared form of an instance stand', async () => {
  using data = temporaryDirectory();
  const { spool, stop } = await openSpool(data.path, { codec });
  await admit(spool, compressible());
  const { objectId, preparedId } = await prepared(spool);
  const late = await prepare(spool, { objectId, bytes: 0, priority: 'routine' });
  await spool.codec.settlePrepare([{ objectId, to: 'prepared', preparedId: late }]);
  expect(await take(spool)).toMatchObject([{ sentId: preparedId }]);
  expect(sealedCount(data.path)).toBe(2);
  await stop();
});

it('sends as received where the prepared object is damaged, and gives that one up', async () => {
  using data = temporaryDirectory();
  const { spool, stop } = await openSpool(data.path, { codec });
  await admit(spool, compressible());
  const { objectId, preparedId } = await prepared(spool);
  flipBit(
    storedObjects(data.path).find((one) => one.id === preparedId),
    400,
  );
  const report = await spool.scrub();
  expect(report.damaged).toEqual([preparedId]);
  expect(await take(spool)).toMatchObject([{ sentId: objectId, form: 'received' }]);
  expect(sealedCount(data.path)).toBe(1);
  await stop();
});

it('removes both forms on purge and on discard, and then forgets the keys', async () => {
  using data = temporaryDirectory();
  const clock = new ManualClock();
  const { spool, stop } = await openSpool(data.path, { codec, clock, quietMs: 1 });
  await admit(spool, compressible());
  const { objectId, preparedId } = await prepared(spool);
  await take(spool);
  await settle(spool, objectId, delivered);
  const [proof] = await spool.takeProof('cloud', 1);
  expect(proof).toMatchObject({ sentId: preparedId, otherId: objectId });
  await spool.settleProof([{ objectId, destination: 'cloud', to: 'verified', by: 'digest' }]);
  clock.advance(dayMs);
  const [study] = await spool.settledStudies(1);
  expect(study?.deliveries).toMatchObject([{ preparedId }]);
  await writeReceipts(spool);
  clock.advance(dayMs);
  expect((await spool.purgeVerified(clock.now())).instances).toBe(1);
  await admit(spool, compressible());
  const second = await prepared(spool);
  await spool.discard({ objectIds: [second.objectId] });
  expect(sealedCount(data.path)).toBe(0);
  await stop();
});

it('keeps prepared objects when the ledger is rebuilt, sends none unproven, and proves them when asked', async () => {
  using data = temporaryDirectory();
  const first = await openSpool(data.path, { codec });
  await admit(first.spool, compressible());
  const { objectId, preparedId } = await prepared(first.spool);
  await first.stop();
  for (const name of filesBelow(data.path)) if (/ledger\.db/.test(name)) rmSync(name);
  const second = await openSpool(data.path, { codec });
  const [proof] = await second.spool.takeProof('cloud', 1);
  expect(proof).toMatchObject({ objectId, sentId: objectId, otherId: preparedId, assumed: true });
  await second.spool.settleProof([{ objectId, destination: 'cloud', to: 'queued', retryAt: 0, reason }]);
  expect(await take(second.spool)).toMatchObject([{ sentId: objectId, form: 'received' }]);
  expect(await second.spool.givesBackReceived(preparedId)).toBe(true);
  await second.stop();
});

it('does not take for proven what gives back something else', async () => {
  using data = temporaryDirectory();
  const first = await openSpool(data.path, { codec });
  await admit(first.spool, compressible());
  const item = await waiting(first.spool);
  const liar = await prepare(first.spool, item, true);
  await first.stop();
  for (const name of filesBelow(data.path)) if (/ledger\.db/.test(name)) rmSync(name);
  const second = await openSpool(data.path, { codec });
  expect(await second.spool.givesBackReceived(liar)).toBe(false);
  await second.stop();
});
