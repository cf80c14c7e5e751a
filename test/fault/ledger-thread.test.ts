import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { DimseSender } from '../../src/demo/dimse-sender.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice, newUid } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, launchGateway, startGateway } from '../fixtures/gateway-process.ts';
import { ProcessInspector } from '../fixtures/process-inspector.ts';
import { ArchiveProcess } from './archive-process.ts';
import { Oracle, safe, spotless } from './oracle.ts';

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).toReversed()) await undo();
});

it('the death of the ledger thread ends the process in words; the next start loses nothing', async () => {
  const home = temporaryDirectory();
  cleanUp.push(() => home[Symbol.dispose]());
  const archive = new ArchiveProcess(join(home.path, 'archive'));
  await archive.start();
  cleanUp.push(() => archive.kill());
  const config = { destinations: { cloud: { type: 'stow', url: archive.url } } };
  const dataDirectory = join(home.path, 'data');
  let gateway: GatewayProcess = await launchGateway(dataDirectory, config, {
    nodeOptions: ['--inspect=127.0.0.1:0'],
  });
  cleanUp.push(() => gateway.kill());
  const inspector = await ProcessInspector.connect(gateway);

  const oracle = new Oracle();
  await send(gateway.dicomPort, 20, oracle);
  const ended = new Promise<number | null>((resolve) => gateway.process.once('exit', resolve));
  // The last of them are not entered yet: admissions are entered together, a moment later.
  inspector.endWorkers();
  expect(await ended).toBe(1);
  const last = gateway.lines.find((line) => line.includes('"code":"DIED"')) ?? '';
  expect(last).toContain('Nothing received is lost; the process ends and is to be started again');
  const places = { dataDirectory, archiveDirectory: archive.directory };
  expect(await oracle.judge(places)).toMatchObject(safe);

  gateway = await startGateway(dataDirectory, config);
  const { totals } = await gateway.until(({ queue }) => queue.instances === 0);
  expect(totals).toMatchObject({ received: 20, verified: 20 });
  expect(await gateway.stop()).toBe(0);
  expect(await oracle.judge(places)).toEqual(spotless);
}, 90_000);

async function send(port: number, count: number, oracle: Oracle): Promise<void> {
  const study = { studyUID: newUid(), seriesUID: newUid() };
  const made = Array.from({ length: count }, (_, seed) => ctSlice({ rows: 32, columns: 32, seed, ...study }));
  const contexts = made.slice(0, 1).map(({ SOPClassUID, TransferSyntaxUID }) => ({
    SOPClassUID,
    transferSyntaxes: [TransferSyntaxUID],
  }));
  const sender = await DimseSender.connect({
    host: '127.0.0.1',
    port,
    callingAeTitle: 'CT1',
    calledAeTitle: 'GANTRY',
    contexts,
  });
  for (const each of made) {
    oracle.offered(each);
    const { status } = await sender.store(each);
    expect(status).toBe(0);
    oracle.acknowledged(each);
  }
  await sender.release();
}
