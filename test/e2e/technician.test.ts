import { describe, expect, onTestFinished, test } from 'vitest';
import type { GantryError } from '../../src/base/errors.ts';
import { DimseSender } from '../../src/demo/dimse-sender.ts';
import { startStorescp } from '../fixtures/dcmtk-scp.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { listenMinimalScp, type MinimalScpOptions } from '../fixtures/minimal-scp.ts';
import { gatewayBench } from '../fixtures/running-gateway.ts';
import { patienceMs, present, runProgram } from './peers.ts';
import { storeAll } from './store-all.ts';
import { rawServer } from '../archive/fault-server.ts';

const ready = present('test/e2e/technician.test.ts', 'DCMTK');

async function echoes(port: number, calling: string): Promise<boolean> {
  const run = await runProgram('echoscu', ['-aet', calling, '-aec', 'GANTRY', '127.0.0.1', String(port)]);
  return run.code === 0;
}

const codeOf = (error: unknown): string => (error as GantryError).code;

describe.skipIf(!ready)('a modality that is not let in', { timeout: patienceMs }, () => {
  test('is allowed from the page: at once, for good, and nobody who is connected notices', async () => {
    const bench = gatewayBench();
    const gateway = await bench.start();
    const { modalities } = gateway.tools;
    const [slice, later] = [
      ctSlice({ rows: 16, columns: 16, seed: 1 }),
      ctSlice({ rows: 16, columns: 16, seed: 2 }),
    ];
    const contexts = [{ SOPClassUID: slice.SOPClassUID, transferSyntaxes: [slice.TransferSyntaxUID] }];
    const sender = await DimseSender.connect({
      host: '127.0.0.1',
      port: gateway.ports.dicom,
      callingAeTitle: 'CT1',
      calledAeTitle: 'GANTRY',
      contexts,
    });
    expect((await sender.store(slice)).status).toBe(0);

    expect(await echoes(gateway.ports.dicom, 'CT9')).toBe(false);
    expect(modalities.unknownCallers()).toMatchObject([{ address: '127.0.0.1', callingAeTitle: 'CT9' }]);
    expect(await modalities.allow('ct9', { aeTitle: 'CT9', addresses: ['127.0.0.1'] })).toEqual({
      generation: 2,
    });
    expect(await echoes(gateway.ports.dicom, 'CT9')).toBe(true);
    expect(modalities.unknownCallers()).toEqual([]);
    expect((await gateway.status()).config).toMatchObject({ generation: 2, origin: 'page' });
    expect((await gateway.status()).modalities['ct9']).toMatchObject({ configured: true, aeTitle: 'CT9' });

    expect((await sender.store(later)).status).toBe(0);
    await sender.release();

    await bench.stop();
    const again = await bench.start();
    expect(await echoes(again.ports.dicom, 'CT9')).toBe(true);
  });

  test('that takes the place of another keeps its name and what was received under it', async () => {
    const bench = gatewayBench();
    const gateway = await bench.start();
    const { ports, tools } = gateway;
    const [first, second] = [1, 2].map((seed) => ctSlice({ rows: 16, columns: 16, seed }));
    if (first === undefined || second === undefined) throw new Error('no slices');
    await storeAll(ports.dicom, [first]);
    await bench.until(({ modalities }) => modalities['ct1']?.received === 1);
    await tools.modalities.replace('ct1', { aeTitle: 'CT1_NEW', addresses: [] });
    expect(await echoes(ports.dicom, 'CT1')).toBe(false);
    await storeAll(ports.dicom, [second], 'CT1_NEW');
    await bench.until(({ modalities }) => modalities['ct1']?.received === 2);
    expect((await gateway.status()).modalities).toMatchObject({ ct1: { aeTitle: 'CT1_NEW' } });
    expect(Object.keys((await gateway.status()).modalities)).toEqual(['ct1']);
  });

  test('a changed file counts, and the log and the status name what it undid', async () => {
    const bench = gatewayBench();
    await (await bench.start()).tools.modalities.allow('ct9', { aeTitle: 'CT9', addresses: [] });
    await bench.stop();
    const gateway = await bench.start({ site: { name: 'Another name' } });
    expect((await gateway.status()).config).toMatchObject({
      generation: 3,
      origin: 'file',
      undone: ['modalities.ct9'],
    });
    expect(bench.logLines.join('')).toContain('CONFIG_CHANGES_UNDONE');
  });
});

describe.skipIf(!ready)('a C-ECHO from here', { timeout: patienceMs }, () => {
  async function echoAt(host: string | null, port: number | null) {
    const bench = gatewayBench();
    const gateway = await bench.start({ modalities: { ct1: { aeTitle: 'CT1', host, port } } });
    return gateway.tools.modalities.echo('ct1');
  }

  test('to a device that answers', async () => {
    const scp = await startStorescp();
    onTestFinished(async () => scp?.stop());
    expect(await echoAt('127.0.0.1', scp?.port ?? 0)).toMatchObject({
      ok: true,
      code: 'ECHO_OK',
      words: expect.stringMatching(/^"ct1" answered at 127\.0\.0\.1, port \d+ in \d+ ms\.$/) as string,
      nextStep: null,
    });
  });

  test('where nothing listens, or nobody knows the way', async () => {
    const scp = await startStorescp();
    await scp?.stop();
    expect(await echoAt('127.0.0.1', scp?.port ?? 0)).toMatchObject({
      ok: false,
      code: 'ECONNREFUSED',
      words: expect.stringContaining('nothing listens') as string,
    });
    expect(await echoAt('no-such-device.invalid', 104)).toMatchObject({
      ok: false,
      code: expect.stringMatching(/^(?:ENOTFOUND|EAI_AGAIN)$/) as string,
      words: expect.stringContaining('cannot be looked up') as string,
    });
  });

  test.each<{ reject: MinimalScpOptions['reject']; code: string; words: string }>([
    {
      reject: [1, 1, 3],
      code: 'DIMSE_CALLING_AE',
      words: 'does not know the AE title of this box, "GANTRY"',
    },
    { reject: [1, 1, 7], code: 'DIMSE_CALLED_AE', words: 'its AE title is not "CT1"' },
    { reject: [2, 3, 1], code: 'DIMSE_BUSY', words: 'busy' },
    { reject: [1, 1, 1], code: 'DIMSE_REJECTED', words: 'refused the association' },
  ])('to a device that rejects: $code', async ({ reject, code, words }) => {
    const scp = await listenMinimalScp({
      ...(reject && { reject }),
      onStore: () => ({ write: () => undefined, end: async () => 0 }),
    });
    onTestFinished(() => scp.close());
    expect(await echoAt('127.0.0.1', scp.port)).toMatchObject({
      ok: false,
      code,
      words: expect.stringContaining(words) as string,
    });
  });

  test('to something that hangs up, or is no DICOM', async () => {
    const server = await rawServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    onTestFinished(() => server.stop());
    const report = await echoAt('127.0.0.1', server.port);
    expect(report).toMatchObject({ ok: false, code: expect.stringMatching(/^DIMSE_/) as string });
  });

  test('to nobody: the modality is not known, or not where it is', async () => {
    const bench = gatewayBench();
    const { modalities } = (await bench.start()).tools;
    expect(await modalities.echo('ct2').catch(codeOf)).toBe('MODALITY_UNKNOWN');
    expect(await modalities.echo('ct1').catch(codeOf)).toBe('MODALITY_NO_ADDRESS');
  });
});

describe('a destination paused by an operator', { timeout: patienceMs }, () => {
  test('gets nothing, over a restart too, until it is resumed', async () => {
    const bench = gatewayBench();
    const gateway = await bench.start();
    await gateway.tools.destinations.pause('nas', 'anna');
    await storeAll(gateway.ports.dicom, [ctSlice({ rows: 16, columns: 16, seed: 3 })]);
    const paused = {
      state: 'paused',
      reason: { code: 'PAUSED_BY_OPERATOR' },
      queued: 1,
      delivered: 0,
    };
    await bench.until(({ queue }) => queue.instances === 1);
    expect((await gateway.status()).destinations['nas']).toMatchObject(paused);
    expect((await gateway.status()).verdict).toBe('degraded');

    await bench.stop();
    const again = await bench.start();
    expect((await again.status()).destinations['nas']).toMatchObject(paused);
    await again.tools.destinations.resume('nas');
    await bench.until(({ totals }) => totals.verified === 1);

    await bench.stop();
    expect((await (await bench.start()).status()).destinations['nas']?.state).not.toBe('paused');
    expect(await again.tools.destinations.pause('elsewhere', 'anna').catch(codeOf)).toBe(
      'DESTINATION_UNKNOWN',
    );
  });
});
