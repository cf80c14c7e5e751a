import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { filesBelow, type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { freePort, startStorescp } from '../fixtures/dcmtk-scp.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { storedObjects } from '../fixtures/stored-objects.ts';
import { present, patienceMs } from './peers.ts';
import { storeAll } from './store-all.ts';

const ready = present('test/e2e/at-rest.test.ts', 'DCMTK');
const count = 30;
/** While the codec is at work on so many images, about. */
const killMsMax = 400;
const kills = 4;

describe.skipIf(!ready)('images at rest in their compressed form', { timeout: 2 * patienceMs }, () => {
  let directory: TemporaryDirectory;
  let gateway: GatewayProcess | null = null;
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(async () => {
    await gateway?.stop();
    directory[Symbol.dispose]();
  });

  const start = (port: number): Promise<GatewayProcess> =>
    startGateway(join(directory.path, 'data'), {
      compression: { mode: 'always', syntaxes: ['htj2k'] },
      destinations: { pacs: { type: 'dimse', host: '127.0.0.1', port, aeTitle: 'PACS', verify: 'response' } },
    });

  test('survive kills and a lost ledger, and arrive byte for byte at a peer that does not know the form', async () => {
    const nobody = await freePort();
    const data = join(directory.path, 'data');
    const sent = Array.from({ length: count }, (_, seed) => ctSlice({ rows: 256, columns: 256, seed }));
    gateway = await start(nobody);
    expect(await storeAll(gateway.dicomPort, sent)).toEqual({ 0: count });
    for (let kill = 1; kill <= kills; kill += 1) {
      await delay((killMsMax * kill) / kills);
      await gateway.kill();
      gateway = await start(nobody);
    }
    const { compression } = await gateway.until((status) => status.compression?.atRest.instances === count);
    const bytes = sent.reduce((sum, { dataSet }) => sum + dataSet.length, 0);
    expect(compression?.atRest.bytesReceived).toBe(bytes);
    await gateway.kill();
    gateway = await start(nobody);
    await gateway.stop();
    const stored = storedObjects(data);
    expect(stored).toHaveLength(count);
    expect(stored.reduce((sum, { sealed }) => sum + sealed.length, 0)).toBeLessThan(bytes / 2);

    for (const name of filesBelow(data)) if (/ledger\.db/.test(name)) rmSync(name);
    const pacs = await startStorescp();
    if (pacs === null) throw new Error('storescp has gone');
    try {
      gateway = await start(pacs.port);
      expect(await storeAll(gateway.dicomPort, sent.slice(0, 3))).toEqual({ 0: 3 });
      const { totals } = await gateway.until(({ queue }) => queue.instances === 0);
      expect(totals).toMatchObject({ received: count, delivered: count, held: 0, conflicts: 0 });
      const files = readdirSync(pacs.directory).map((name) => readFileSync(join(pacs.directory, name)));
      expect(files).toHaveLength(count);
      for (const made of sent) expect(files.some((file) => file.includes(made.dataSet))).toBe(true);
    } finally {
      await pacs.stop();
    }
  });
});
