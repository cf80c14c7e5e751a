import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { eventually, startIntake } from './intake-harness.ts';
import {
  associateRequest,
  dataPdu,
  dataSetPdus,
  echoCommand,
  RawClient,
  releaseRequest,
  storeCommand,
} from './raw-client.ts';

const slice = ctSlice({ rows: 64, columns: 64, seed: 1 });

async function rejection(port: number): Promise<number[] | null> {
  const client = await RawClient.connect(port);
  client.send(associateRequest());
  const answer = await client.next();
  client.close();
  return answer?.type === 3 ? [...answer.body.subarray(1)] : null;
}

test('a full house is a transient reject, and every way out makes room again', async () => {
  const { port, listener } = await startIntake({ limits: { associationsMax: 3, associationsPerPeerMax: 3 } });
  const clients = [
    await RawClient.associate(port),
    await RawClient.associate(port),
    await RawClient.associate(port),
  ];
  expect(listener.stats().associations).toBe(3);
  expect(await rejection(port)).toEqual([2, 3, 2]);
  clients[0]?.send(releaseRequest);
  expect((await clients[0]?.next())?.type).toBe(6);
  clients[1]?.close();
  clients[2]?.send(Buffer.alloc(6, 0x99));
  expect(await clients[2]?.aborted()).toEqual([2, 1]);
  await eventually(() => listener.stats().associations === 0);
  for (const client of [await RawClient.associate(port), await RawClient.associate(port)]) client.close();
  await eventually(() => listener.stats().associations === 0);
  expect(listener.stats().refusalCounts['ASSOCIATIONS_FULL']).toBe(1);
});

test('one peer cannot take the whole house', async () => {
  const { port } = await startIntake({ limits: { associationsMax: 10, associationsPerPeerMax: 1 } });
  await RawClient.associate(port);
  expect(await rejection(port)).toEqual([2, 3, 2]);
});

test('connections that say nothing are bounded, and do not keep a device out for good', async () => {
  const { port, listener } = await startIntake({
    limits: { idleConnectionsMax: 5, idleConnectionsPerPeerMax: 5 },
    timers: { associateMs: 300 },
  });
  const silent = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(port)));
  await eventually(() => listener.stats().idleConnections === 5);
  const sixth = connect(port, '127.0.0.1');
  await new Promise((resolve) => sixth.on('close', resolve).on('error', () => undefined));
  expect(listener.stats().refusals[0]).toMatchObject({ code: 'CONNECTIONS_FULL', kind: 'closed' });
  for (const client of silent) expect(await client.next()).toBeNull();
  expect(listener.stats().refusalCounts['ASSOCIATE_TIMEOUT']).toBe(5);
  await RawClient.associate(port);
});

test('an association request that dribbles in is cut off at the deadline', async () => {
  const { port, listener } = await startIntake({ timers: { associateMs: 200 } });
  const client = await RawClient.connect(port);
  const dribble = setInterval(() => client.socket.write(Buffer.from([1])), 10);
  client.socket.write(Buffer.from([1, 0, 0, 15, 0, 0]));
  expect(await client.next()).toBeNull();
  clearInterval(dribble);
  expect(listener.stats().refusals[0]?.code).toBe('ASSOCIATE_TIMEOUT');
});

test('an idle association is aborted, also one that dribbles a command', async () => {
  const { port, listener } = await startIntake({ timers: { idleMs: 200, acseMs: 50 } });
  const idle = await RawClient.associate(port);
  expect(await idle.aborted()).toEqual([0, 0]);
  const dribbling = await RawClient.associate(port);
  const command = storeCommand(slice);
  let at = 0;
  const dribble = setInterval(() => {
    if (dribbling.socket.writable) dribbling.socket.write(command.subarray(at, ++at));
  }, 10);
  expect(await dribbling.aborted()).toEqual([0, 0]);
  clearInterval(dribble);
  expect(listener.stats().refusalCounts).toEqual({ IDLE_TIMEOUT: 2 });
});

test('an object below the minimum rate is aborted and dropped, one above it may take its time', async () => {
  const { port, spool, listener } = await startIntake({
    timers: { idleMs: 150, rateWindowMs: 300, rateBytesPerSecondMin: 1000 },
  });
  const pdus = dataSetPdus(slice.dataSet, 200);
  const trickle = async (bytes: number): Promise<RawClient> => {
    const client = await RawClient.associate(port);
    client.send(storeCommand(slice));
    let at = 0;
    const timer = setInterval(() => {
      if (client.socket.writable) client.socket.write(pdus.subarray(at, (at += bytes)));
      if (at >= pdus.length || !client.socket.writable) clearInterval(timer);
    }, 20);
    return client;
  };
  const slow = await trickle(5);
  expect(await slow.aborted()).toEqual([0, 0]);
  await spool.until(() => spool.objects[0]?.state === 'aborted');
  expect(listener.stats().refusals[0]?.code).toBe('TOO_SLOW');
  const steady = await trickle(150);
  expect((await steady.response()).status).toBe(0);
});

test('a commit may take longer than every timer', async () => {
  const { port, spool } = await startIntake({ timers: { idleMs: 80, rateWindowMs: 80 } });
  const started = Promise.withResolvers<void>();
  spool.onCommit = async () => {
    started.resolve();
    await new Promise((resolve) => setTimeout(resolve, 400));
  };
  const client = await RawClient.associate(port);
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet));
  await started.promise;
  expect((await client.response()).status).toBe(0);
});

test('a peer that does not close after the end is cut', async () => {
  const { port, listener } = await startIntake({ timers: { acseMs: 100 } });
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  client.write(associateRequest({ calling: 'NOBODY' }));
  client.resume();
  await new Promise((resolve) => client.on('end', resolve));
  expect(listener.stats().idleConnections).toBe(1);
  await eventually(() => listener.stats().idleConnections === 0);
  client.destroy();
});

test('stopping lets what is in flight finish, then aborts the rest', async () => {
  const { port, listener, spool } = await startIntake();
  const finishing = await RawClient.associate(port);
  const idling = await RawClient.associate(port);
  const unassociated = await RawClient.connect(port);
  const half = dataSetPdus(slice.dataSet, 1000);
  finishing.send(storeCommand(slice), half.subarray(0, 3000));
  await spool.until(() => (spool.objects[0]?.bytes ?? 0) > 1000);
  const stopped = listener.stop(500);
  expect(await unassociated.next()).toBeNull();
  await expect(RawClient.connect(port)).rejects.toThrow('ECONNREFUSED');
  finishing.send(half.subarray(3000));
  expect((await finishing.response()).status).toBe(0);
  finishing.send(releaseRequest);
  expect((await finishing.next())?.type).toBe(6);
  finishing.close();
  expect(await idling.aborted()).toEqual([0, 0]);
  await stopped;
  expect(listener.stats().refusals[0]?.code).toBe('STOPPING');
  expect(listener.stats()).toMatchObject({ associations: 0, idleConnections: 0, received: 1 });
});

test('a port that is taken is said so', async () => {
  const { port } = await startIntake();
  await expect(startIntake({ port })).rejects.toMatchObject({ code: 'INTAKE_PORT' });
});

test('what unknown senders leave is under their titles, and PHI-free', async () => {
  const { port, listener, logLines } = await startIntake({ unknownCallers: 'accept' });
  const client = await RawClient.associate(port, { calling: 'MOBILE7' });
  client.send(echoCommand());
  await client.response();
  client.send(storeCommand({ ...slice, SOPInstanceUID: '1.2.3.4.5.6.7' }), dataSetPdus(slice.dataSet));
  expect((await client.response()).status).toBe(0xa900);
  const stats = listener.stats();
  expect(stats.unknownSenders.get('MOBILE7')).toMatchObject({ received: 0, modalityName: null });
  expect(stats.modalities.size).toBe(0);
  const everything = JSON.stringify([stats.refusals, logLines]);
  expect(everything).toContain('UID_MISMATCH');
  expect(everything).not.toMatch(/1\.2\.3\.4\.5|Fixture|FIXTURE|2\.25\.\d/);
});

test('64 KiB of command are the most where nothing is set', async () => {
  const { port } = await startIntake();
  const client = await RawClient.associate(port);
  const piece = dataPdu({ command: true, last: false, bytes: Buffer.alloc(32 * 1024) });
  client.send(piece, piece, dataPdu({ command: true, last: false, bytes: Buffer.alloc(1) }));
  expect(await client.aborted()).toEqual([2, 6]);
});
