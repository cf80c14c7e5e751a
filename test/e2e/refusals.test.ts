import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import {
  associateRequest,
  ctContext,
  dataSetPdus,
  echoCommand,
  echoContext,
  RawClient,
  releaseRequest,
  storeCommand,
} from '../intake/raw-client.ts';
import { patienceMs } from './peers.ts';

/** From a refusal on the wire to what a technician, a monitoring system and a log reader see of it. */

let directory: TemporaryDirectory;
let gateway: GatewayProcess | null = null;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await gateway?.kill();
  gateway = null;
  directory[Symbol.dispose]();
});

const config = {
  destinations: { cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies' } },
  intake: { unknownCallers: 'refuse', limits: { associationsMax: 2, idleMs: 30_000 } },
  modalities: { 'ct-room-1': { aeTitle: 'CT1', addresses: ['127.0.0.1'] } },
};

async function refusedWith(port: number, request: Buffer): Promise<number[]> {
  const client = await RawClient.connect(port);
  client.send(request);
  const answer = await client.next();
  client.close();
  return answer?.type === 3 ? [...answer.body.subarray(1)] : [];
}

async function text(path: string, { webPort }: GatewayProcess): Promise<string> {
  return (await fetch(`http://127.0.0.1:${webPort}${path}`)).text();
}

test('a full house: the device is asked to come back, and everybody sees why', {
  timeout: patienceMs,
}, async () => {
  gateway = await startGateway(join(directory.path, 'data'), config);
  const { dicomPort } = gateway;
  const open = [await RawClient.associate(dicomPort), await RawClient.associate(dicomPort)];
  expect(await refusedWith(dicomPort, associateRequest())).toEqual([2, 3, 2]);
  expect(await refusedWith(dicomPort, associateRequest())).toEqual([2, 3, 2]);

  const { intake, modalities } = await gateway.status();
  expect(intake).toMatchObject({
    associations: 2,
    associationsMax: 2,
    idleConnectionsMax: 64,
    limits: { associationsMax: 2, associationsPerPeerMax: 2, idleMs: 30_000, objectBytesMax: 16 * 1024 ** 3 },
    refusalCounts: { ASSOCIATIONS_FULL: 2 },
  });
  expect(intake.refusals).toEqual([
    {
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
      kind: 'rejected',
      address: '127.0.0.1',
      callingAeTitle: 'CT1',
      calledAeTitle: 'GANTRY',
      modalityName: 'ct-room-1',
      proposed: {
        contexts: 2,
        sopClasses: ['CT Image Storage', 'Verification'],
        transferSyntaxes: ['Explicit VR Little Endian', 'Implicit VR Little Endian'],
      },
      code: 'ASSOCIATIONS_FULL',
      reason: 'All associations of this gateway are in use; the device was asked to try again later.',
      nextStep: expect.stringContaining('"associationsMax"') as string,
      count: 2,
    },
  ]);
  expect(modalities['ct-room-1']?.lastRefusal?.code).toBe('ASSOCIATIONS_FULL');

  const metrics = await text('/metrics', gateway);
  for (const line of [
    'gantry_association_rejected_total{reason="ASSOCIATIONS_FULL"} 2',
    'gantry_associations 2',
    'gantry_associations_max 2',
    'gantry_intake_limit{limit="associationsMax"} 2',
    'gantry_intake_limit{limit="rateBytesPerSecondMin"} 1024',
  ]) {
    expect(metrics).toContain(`${line}\n`);
  }
  const page = (await text('/', gateway)).replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
  expect(page).toContain('2 of 2 associations are in use');
  expect(page).toContain('All associations of this gateway are in use');
  expect(page).toContain('CT Image Storage; Verification');

  for (const client of open) client.send(releaseRequest);
  for (const client of open) expect((await client.next())?.type).toBe(6);
  for (const client of open) client.close();
  await gateway.until(({ intake: now }) => now.associations === 0 && now.idleConnections === 0);
  (await RawClient.associate(dicomPort)).close();
});

test('what is not offered on an association that was accepted is said too', {
  timeout: patienceMs,
}, async () => {
  const intake = { unknownCallers: 'accept', unknownSopClasses: 'refuse' };
  gateway = await startGateway(join(directory.path, 'data'), { ...config, intake });
  const { dicomPort } = gateway;
  const worklist = { ...echoContext, abstractSyntax: '1.2.840.10008.5.1.4.31' };
  const privateClass = { ...ctContext, id: 5, abstractSyntax: '1.2.840.113619.4.26' };
  const nothing = await RawClient.associate(dicomPort, { contexts: [worklist] });
  nothing.close();
  const partly = await RawClient.associate(dicomPort, { contexts: [ctContext, privateClass] });
  partly.close();
  // A service of the standard that others offer is no news as long as something is offered.
  const usual = await RawClient.associate(dicomPort, { calling: 'CT9', contexts: [ctContext, worklist] });
  const slice = ctSlice({ rows: 32, columns: 32, seed: 1 });
  usual.send(storeCommand(slice), dataSetPdus(slice.dataSet));
  expect((await usual.response()).status).toBe(0);
  usual.send(releaseRequest);
  await usual.next();
  usual.close();

  const report = await gateway.until(({ intake: { refusals } }) =>
    refusals.some(({ code }) => code === 'SOP_CLASS_NOT_OFFERED'),
  );
  const said = report.intake.refusals.filter(({ kind }) => kind === 'refused service');
  expect(said.map(({ code, callingAeTitle }) => [code, callingAeTitle])).toEqual([
    ['SOP_CLASS_NOT_OFFERED', 'CT1'],
    ['NOTHING_OFFERED', 'CT1'],
  ]);
  expect(said[0]?.proposed?.sopClasses).toEqual(['CT Image Storage', 'private or unknown SOP class']);
  expect(said[1]?.proposed?.sopClasses).toEqual(['Modality Worklist Information Model - FIND']);
  expect(JSON.stringify(report.intake.refusals)).not.toMatch(/\d\.\d+\.\d+\.\d+\.\d/);
});

test('an unknown caller is not taken for the modality whose name it uses, and shows when it only tried', {
  timeout: patienceMs,
}, async () => {
  gateway = await startGateway(join(directory.path, 'data'), {
    ...config,
    intake: { unknownCallers: 'accept' },
  });
  const { dicomPort } = gateway;
  const slice = ctSlice({ rows: 32, columns: 32, seed: 1 });
  const impostor = await RawClient.associate(dicomPort, { calling: 'ct-room-1' });
  impostor.send(storeCommand(slice), dataSetPdus(slice.dataSet));
  expect((await impostor.response()).status).toBe(0);
  const trying = await RawClient.associate(dicomPort, { calling: 'NEW_CT' });
  trying.send(echoCommand());
  expect((await trying.response()).status).toBe(0);

  const { modalities } = await gateway.until(({ totals }) => totals.received === 1);
  expect(modalities['ct-room-1']).toMatchObject({ configured: true, aeTitle: 'CT1', received: 0 });
  expect(modalities['ct-room-1']?.lastHeardAt).toBeNull();
  expect(modalities['ct-room-1 (unknown caller)']).toMatchObject({ configured: false, received: 1 });
  expect(modalities['NEW_CT']).toMatchObject({ configured: false, received: 0, lastReceivedAt: null });
  expect(Date.parse(modalities['NEW_CT']?.lastHeardAt ?? '')).toBeGreaterThan(0);
  const metrics = await text('/metrics', gateway);
  expect(metrics).toContain('gantry_received_instances_total{modality="ct-room-1"} 0\n');
  expect(metrics).toContain('gantry_received_instances_total{modality="unknown"} 1\n');
  expect(metrics).not.toContain('NEW_CT');
});
