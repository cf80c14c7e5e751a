import { expect, test } from 'vitest';
import { GantryError } from '../../src/base/errors.ts';
import { tags } from '../../src/dicom/tags.ts';
import { ctSlice, element, encodeDataSet } from '../fixtures/dicom-objects.ts';
import { eventually, startIntake } from './intake-harness.ts';
import {
  abortRequest,
  dataSetPdus,
  echoCommand,
  RawClient,
  releaseRequest,
  storeCommand,
} from './raw-client.ts';

const slice = ctSlice({ rows: 64, columns: 64, seed: 1 });

test('a C-STORE is answered 0000 after the commit, with the bytes as they were on the wire', async () => {
  const { port, spool, listener } = await startIntake();
  const committing = Promise.withResolvers<void>();
  spool.onCommit = () => committing.promise;
  const client = await RawClient.associate(port);
  client.send(storeCommand({ messageId: 77, ...slice }), dataSetPdus(slice.dataSet, 1001));
  await spool.untilCommitting(0);
  client.send(echoCommand(78)); // would be answered first if the store did not hold the association
  committing.resolve();
  const { status, elements } = await client.response();
  expect(status).toBe(0);
  expect(elements.get(0x0120)).toBe(77);
  expect(elements.get(0x0100)).toBe(0x8001);
  expect(elements.get(0x0800)).toBe(0x0101);
  expect(elements.get(0x1000)).toBe(slice.SOPInstanceUID);
  expect((await client.response()).elements.get(0x0100)).toBe(0x8030);
  expect(spool.objects[0]?.state).toBe('committed');
  expect(spool.dataSet(0).equals(slice.dataSet)).toBe(true);
  expect(spool.objects[0]?.facts).toEqual({
    TransferSyntaxUID: '1.2.840.10008.1.2.1',
    SOPClassUID: slice.SOPClassUID,
    SOPInstanceUID: slice.SOPInstanceUID,
    callingAeTitle: 'CT1',
    modalityName: 'ct',
    priority: 'routine',
  });
  expect(spool.objects[0]?.dataSetFacts).toMatchObject({
    StudyInstanceUID: slice.StudyInstanceUID,
    Modality: 'CT',
    image: { Rows: 64, Columns: 64, BitsAllocated: 16, NumberOfFrames: 1 },
  });
  client.send(releaseRequest);
  expect((await client.next())?.type).toBe(6);
  const stats = listener.stats();
  expect(stats.received).toBe(1);
  expect(stats.statuses).toEqual({ '0000': 1 });
  expect(stats.modalities.get('ct')).toMatchObject({ aeTitle: 'CT1', received: 1, lastRefusal: null });
});

/** Sends one object and returns its answer; the association must still work afterwards. */
async function storeOnce(
  client: RawClient,
  command: Buffer,
  dataSet: Buffer = dataSetPdus(slice.dataSet, 1000),
): Promise<{ status: number; comment: string }> {
  client.send(command, dataSet);
  const answer = await client.response();
  client.send(echoCommand(999));
  expect((await client.response()).elements.get(0x0120)).toBe(999);
  return answer;
}

test('what cannot be stored gets its status, nothing stays, and the association goes on', async () => {
  const { port, spool, listener } = await startIntake();
  const client = await RawClient.associate(port);
  const other = ctSlice({ rows: 16, columns: 16, seed: 2 });

  const mismatch = await storeOnce(client, storeCommand({ ...slice, SOPInstanceUID: other.SOPInstanceUID }));
  expect(mismatch).toMatchObject({
    status: 0xa900,
    comment: 'UIDs of the data set differ from those of the command',
  });
  const truncated = dataSetPdus(slice.dataSet.subarray(0, slice.dataSet.length - 100));
  expect(await storeOnce(client, storeCommand(slice), truncated)).toMatchObject({ status: 0xc000 });
  const illegal = await storeOnce(client, storeCommand({ SOPInstanceUID: '1.2.840/../../etc' }));
  expect(illegal).toMatchObject({ status: 0xc000 });
  const classMismatch = await storeOnce(
    client,
    storeCommand({ ...slice, SOPClassUID: '1.2.840.10008.5.1.4.1.1.4' }),
  );
  expect(classMismatch).toMatchObject({ status: 0x0122 });
  expect(
    await storeOnce(client, storeCommand({ ...slice, withoutDataSet: true }), Buffer.alloc(0)),
  ).toMatchObject({
    status: 0xc000,
  });
  expect(
    await storeOnce(client, storeCommand({ ...slice, context: 3 }), dataSetPdus(slice.dataSet, 9000, 3)),
  ).toMatchObject({ status: 0x0122 });

  expect(spool.objects.every(({ state }) => state === 'aborted')).toBe(true);
  expect(await storeOnce(client, storeCommand(slice))).toMatchObject({ status: 0, comment: '' });
  expect(spool.objects.at(-1)?.state).toBe('committed');
  const stats = listener.stats();
  expect(stats.statuses).toEqual({ A900: 1, C000: 3, '0122': 2, '0000': 1 });
  expect(stats.refusalCounts).toMatchObject({ UID_MISMATCH: 1, ILLEGAL_INSTANCE_UID: 1, NO_DATA_SET: 1 });
  expect(stats.modalities.get('ct')?.lastRefusal?.kind).toBe('refused object');
  expect(JSON.stringify(stats.refusals)).not.toContain(slice.SOPInstanceUID);
});

test('disk trouble is A700, anything else 0110, and the sender may go on', async () => {
  const { port, spool } = await startIntake();
  const client = await RawClient.associate(port);
  const full = new GantryError({
    code: 'SPOOL_DISK_FULL',
    kind: 'transient',
    message: 'The disk is full.',
    nextStep: 'Free some space.',
  });
  const failures: [() => void, number][] = [
    [() => (spool.onBegin = () => Promise.reject(full)), 0xa700],
    [
      () => {
        spool.onBegin = () => undefined;
        spool.onWrite = (object) => {
          if (object.bytes > 4000) throw full;
          return undefined;
        };
      },
      0xa700,
    ],
    [() => (spool.onWrite = () => Promise.reject(new Error('broken'))), 0x0110],
    [
      () => {
        spool.onWrite = () => undefined;
        spool.onCommit = () => Promise.reject(full);
      },
      0xa700,
    ],
    [() => (spool.onCommit = () => Promise.reject(new Error('broken'))), 0x0110],
    [() => (spool.gate = { open: false, reason: { code: 'SPOOL_DISK_FULL', words: 'No space.' } }), 0xa700],
  ];
  for (const [prepare, status] of failures) {
    prepare();
    expect((await storeOnce(client, storeCommand(slice))).status).toBe(status);
  }
  expect(spool.objects.filter(({ state }) => state === 'committed')).toEqual([]);
  // A failed commit is ended by the spool itself: `abort` after it would end the object twice.
  expect(spool.objects.map(({ state }) => state)).toEqual(['aborted', 'aborted', 'incoming', 'incoming']);
});

test('a message id of a request still open is refused with 0210; the same id again later is not', async () => {
  const { port, spool } = await startIntake();
  const client = await RawClient.associate(port);
  client.send(storeCommand({ messageId: 5, ...slice }), dataSetPdus(slice.dataSet));
  client.send(storeCommand({ messageId: 5, ...slice }), dataSetPdus(slice.dataSet));
  expect((await client.response()).status).toBe(0);
  expect((await client.response()).status).toBe(0x0210);
  expect(await storeOnce(client, storeCommand({ messageId: 999, ...slice }))).toMatchObject({ status: 0 });
  expect(spool.objects.map(({ state }) => state)).toEqual(['committed', 'committed']);
});

test('a second object that arrives before the first is answered is held, not lost', async () => {
  const { port, spool } = await startIntake();
  const committing = Promise.withResolvers<void>();
  spool.onCommit = () => committing.promise;
  const second = ctSlice({ rows: 400, columns: 400, seed: 3 });
  const client = await RawClient.associate(port);
  client.send(storeCommand({ messageId: 1, ...slice }), dataSetPdus(slice.dataSet));
  client.send(storeCommand({ messageId: 2, ...second }), dataSetPdus(second.dataSet));
  await spool.untilCommitting(0);
  expect(spool.objects).toHaveLength(1);
  committing.resolve();
  expect((await client.response()).elements.get(0x0120)).toBe(1);
  expect((await client.response()).elements.get(0x0120)).toBe(2);
  expect(spool.dataSet(0).equals(slice.dataSet)).toBe(true);
  expect(spool.dataSet(1).equals(second.dataSet)).toBe(true);
});

test('an association aborted or cut in the middle of an object leaves nothing behind', async () => {
  const { port, spool, listener } = await startIntake();
  const half = dataSetPdus(slice.dataSet, 2000).subarray(0, 5000);
  for (const end of ['abort', 'cut'] as const) {
    const client = await RawClient.associate(port);
    client.send(storeCommand(slice), half);
    const index = end === 'abort' ? 0 : 1;
    await spool.until(() => (spool.objects[index]?.bytes ?? 0) >= 2000);
    if (end === 'abort') client.send(dataSetPdus(slice.dataSet, 2000).subarray(5000, 6036), abortRequest);
    else client.close();
    await spool.until(() => spool.objects[index]?.state === 'aborted');
  }
  await eventually(() => listener.stats().associations === 0 && listener.stats().idleConnections === 0);
  expect(listener.stats().refusalCounts).toEqual({ PEER_ABORTED: 1, CONNECTION_LOST: 1 });
});

test('an object whose sender is gone before the commit is done stays committed', async () => {
  const { port, spool, listener } = await startIntake();
  const committing = Promise.withResolvers<void>();
  spool.onCommit = () => committing.promise;
  const client = await RawClient.associate(port);
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet));
  await spool.untilCommitting(0);
  client.close();
  await eventually(() => listener.stats().associations === 0);
  committing.resolve();
  await spool.until(() => spool.objects[0]?.state === 'committed');
  await eventually(() => listener.stats().received === 1);
});

test('a slow disk holds the sender back: a bounded part of 64 MiB is in memory', async () => {
  const { port, spool } = await startIntake({ timers: { rateWindowMs: 100 } });
  const disk = Promise.withResolvers<void>();
  spool.keepBytes = false;
  spool.onWrite = (object) => (object.bytes >= 1_000_000 ? disk.promise : undefined);
  const big = encodeDataSet(
    [
      element(tags.SOPClassUID, 'UI', slice.SOPClassUID),
      element(tags.SOPInstanceUID, 'UI', slice.SOPInstanceUID),
      element(tags.PixelData, 'OW', Buffer.alloc(64 * 1024 * 1024)),
    ],
    'explicit-le',
  );
  const pdus = dataSetPdus(big, 100_000);
  const client = await RawClient.associate(port, { maximumLength: 0 });
  client.send(storeCommand(slice));
  client.socket.write(pdus);
  await spool.until(() => (spool.objects[0]?.bytes ?? 0) >= 1_000_000);
  // However long the disk takes, the minimum rate does not count against the sender meanwhile.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const taken = spool.objects[0]?.bytes ?? 0;
  expect(taken).toBeLessThan(1_200_000);
  expect(client.socket.writableLength).toBeGreaterThan(40_000_000);
  disk.resolve();
  spool.onWrite = () => undefined;
  expect((await client.response()).status).toBe(0);
  expect(spool.objects[0]?.bytes).toBe(big.length);
});

test('an object over the limit ends the association, and nothing of it stays', async () => {
  const { port, spool } = await startIntake({ limits: { objectBytesMax: 5000 } });
  const client = await RawClient.associate(port);
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet, 1000));
  expect(await client.aborted()).toEqual([0, 0]);
  await spool.until(() => spool.objects[0]?.state === 'aborted');
});
