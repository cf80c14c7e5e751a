import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DimseSender } from '../../src/demo/dimse-sender.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice, type MadeInstance, usMultiframe } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { openKeystore, openObject } from '../fixtures/independent-decryptor.ts';
import { storedObjects } from '../fixtures/stored-objects.ts';
import { gantry, present, type ProgramRun, runProgram, patienceMs } from './peers.ts';

const withDcmtk = present('test/e2e/modality.test.ts', 'DCMTK');

/** Nothing listens there: what is received stays. */
const destinations = { cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies' } };
const strict = {
  destinations,
  intake: { unknownCallers: 'refuse' },
  modalities: { 'ct-room-1': { aeTitle: 'CT1', addresses: ['127.0.0.0/8'] } },
};

let directory: TemporaryDirectory;
let gateways: GatewayProcess[] = [];

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.kill()));
  gateways = [];
  directory[Symbol.dispose]();
});

async function start(config: object): Promise<GatewayProcess> {
  const gateway = await startGateway(join(directory.path, 'data'), config);
  gateways.push(gateway);
  return gateway;
}

function file(name: string, instance: MadeInstance): string {
  const path = join(directory.path, name);
  writeFileSync(path, Buffer.concat([part10Header(instance), instance.dataSet]));
  return path;
}

/** The data sets that lie in the spool, and the transfer syntaxes they came in. */
function received({ dataDirectory }: GatewayProcess): { syntax: unknown; body: Buffer }[] {
  const keystore = openKeystore(dataDirectory);
  return storedObjects(dataDirectory).map(({ sealed }) => {
    const { trailer, body } = openObject(sealed, keystore);
    return { syntax: trailer['TransferSyntaxUID'], body };
  });
}

describe.skipIf(!withDcmtk)('a modality (DCMTK)', { timeout: patienceMs }, () => {
  const call = (
    tool: 'echoscu' | 'storescu',
    { dicomPort }: GatewayProcess,
    [calling, called]: readonly [calling: string, called: string],
    { options = [], files = [] }: { options?: readonly string[]; files?: readonly string[] } = {},
  ): Promise<ProgramRun> => {
    const names = ['-aet', calling, '-aec', called];
    return runProgram(tool, ['-v', ...options, ...names, '127.0.0.1', String(dicomPort), ...files]);
  };

  test('that is configured is heard, and counted under its name', async () => {
    const gateway = await start(strict);
    const slices = [1, 2, 3].map((seed) => file(`${seed}.dcm`, ctSlice({ rows: 32, columns: 32, seed })));

    expect((await call('echoscu', gateway, ['CT1', 'GANTRY'])).code).toBe(0);
    const { modalities: heard } = await gateway.status();
    expect(heard['ct-room-1']).toMatchObject({ aeTitle: 'CT1', received: 0, lastReceivedAt: null });
    expect(Date.parse(heard['ct-room-1']?.lastHeardAt ?? '')).toBeGreaterThan(0);

    const { code, stderr } = await call('storescu', gateway, ['CT1', 'GANTRY'], { files: slices });
    expect(code, stderr).toBe(0);
    const { modalities } = await gateway.until(({ totals }) => totals.received === 3);
    expect(Object.keys(modalities)).toEqual(['ct-room-1']);
    expect(modalities['ct-room-1']).toMatchObject({ received: 3, lastRefusal: null });
    expect(Date.parse(modalities['ct-room-1']?.lastReceivedAt ?? '')).toBeGreaterThan(0);
  });

  test('that calls by a wrong name is told so, and the page says it in plain words', async () => {
    const gateway = await start(strict);
    const { code, stderr } = await call('echoscu', gateway, ['CT1', 'PACS']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('Rejected Permanent');
    expect(stderr).toContain('Called AE Title Not Recognized');

    const { intake, modalities } = await gateway.status();
    expect(intake.refusals).toHaveLength(1);
    const [refusal] = intake.refusals;
    expect(refusal).toMatchObject({
      address: '127.0.0.1',
      callingAeTitle: 'CT1',
      calledAeTitle: 'PACS',
      code: 'CALLED_AE_TITLE',
      kind: 'rejected',
      modalityName: 'ct-room-1',
      proposed: { contexts: 1, sopClasses: ['Verification'] },
      reason: 'The device asked for an AE title that is not that of this gateway.',
      nextStep:
        'Correct the called AE title in the device (upper and lower case count), or add it to "aliases" in the configuration.',
      count: 1,
    });
    expect(modalities['ct-room-1']?.lastRefusal).toEqual(refusal);
  });

  test('that nobody has configured is refused unless unknown callers are welcome', async () => {
    const path = file('stranger.dcm', ctSlice({ rows: 32, columns: 32, seed: 1 }));
    // A configuration that says nothing about unknown callers is the strict one.
    const { intake: _, ...silent } = strict;
    const closed = await start({ ...silent, intake: { unknownCallers: undefined } });
    const refused = await call('storescu', closed, ['STRANGER', 'GANTRY'], { files: [path] });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('Calling AE Title Not Recognized');
    const { intake, totals } = await closed.status();
    expect(totals.received).toBe(0);
    expect(intake.refusals[0]).toMatchObject({
      code: 'CALLING_AE_TITLE',
      callingAeTitle: 'STRANGER',
      reason: 'The calling AE title belongs to no configured modality.',
    });
    await closed.stop();

    const open = await start({ ...strict, intake: { unknownCallers: 'accept' } });
    expect((await call('storescu', open, ['STRANGER', 'GANTRY'], { files: [path] })).code).toBe(0);
    const { modalities } = await open.until(({ totals: { received: count } }) => count === 1);
    expect(modalities['STRANGER']).toMatchObject({ configured: false, aeTitle: 'STRANGER', received: 1 });
    expect(modalities['ct-room-1']?.received).toBe(0);
  });

  test('that is configured for another address is refused', async () => {
    const elsewhere = { 'ct-room-1': { aeTitle: 'CT1', addresses: ['192.0.2.0/24'] } };
    const gateway = await start({ ...strict, modalities: elsewhere });
    const { stderr } = await call('echoscu', gateway, ['CT1', 'GANTRY']);
    expect(stderr).toContain('Calling AE Title Not Recognized');
    const { modalities } = await gateway.status();
    expect(modalities['ct-room-1']?.lastRefusal?.code).toBe('CALLING_ADDRESS');
  });

  test('may offer several encodings in one context: the compressed one is taken, and nothing is decoded', async () => {
    const gateway = await start(strict);
    const clip = usMultiframe({ rows: 64, columns: 64, frames: 20, seed: 1 });
    const path = file('clip.dcm', clip);
    for (const options of [
      ['-R', '-xy', '+C'],
      ['-R', '-xy'],
    ]) {
      const { code, stderr } = await call('storescu', gateway, ['CT1', 'GANTRY'], { options, files: [path] });
      expect(code, stderr).toBe(0);
    }
    // The second time it was a duplicate.
    await gateway.until(({ totals }) => totals.received === 1);
    const [object] = received(gateway);
    expect(object?.syntax).toBe(clip.TransferSyntaxUID);
    expect(object?.body.equals(clip.dataSet)).toBe(true);
  });

  test('may offer every storage class it knows, up to the 128 contexts there can be', async () => {
    const gateway = await start(strict);
    const path = file('plain.dcm', ctSlice({ rows: 32, columns: 32, seed: 2 }));
    const { code, stderr } = await call('storescu', gateway, ['CT1', 'GANTRY'], {
      options: ['-xe', '-d'],
      files: [path],
    });
    expect(code, stderr).toBe(0);
    const accepted = stderr.match(/Context ID: +\d+ \(Accepted\)/g) ?? [];
    expect(accepted.length).toBeGreaterThan(60);
    expect(stderr).not.toMatch(/Context ID: +\d+ \((?!Accepted|Proposed)/);
  });
});

describe('the process', { timeout: patienceMs }, () => {
  test('told to stop during a transfer, finishes the association and exits 0', async () => {
    const gateway = await start(strict);
    const big = ctSlice({ rows: 2048, columns: 2048, seed: 1 });
    const sender = await DimseSender.connect({
      host: '127.0.0.1',
      port: gateway.dicomPort,
      callingAeTitle: 'CT1',
      calledAeTitle: 'GANTRY',
      contexts: [{ SOPClassUID: big.SOPClassUID, transferSyntaxes: [big.TransferSyntaxUID] }],
    });
    const exited = new Promise<number | null>((resolve) => gateway.process.once('exit', resolve));
    async function* inTwoHalves() {
      const half = big.dataSet.length / 2;
      yield big.dataSet.subarray(0, half);
      gateway.process.kill('SIGTERM');
      await lineWith(gateway, '"event":"stopping"');
      await expect(fetch(`http://127.0.0.1:${gateway.webPort}/livez`)).resolves.toBeDefined();
      yield big.dataSet.subarray(half);
    }
    expect((await sender.store({ ...big, dataSet: inTwoHalves() })).status).toBe(0x0000);
    expect((await sender.store(ctSlice({ rows: 16, columns: 16, seed: 2 }))).status).toBe(0x0000);
    await expect(
      DimseSender.connect({
        host: '127.0.0.1',
        port: gateway.dicomPort,
        callingAeTitle: 'CT1',
        calledAeTitle: 'GANTRY',
        contexts: [{ SOPClassUID: big.SOPClassUID, transferSyntaxes: [big.TransferSyntaxUID] }],
      }),
    ).rejects.toMatchObject({ code: 'DIMSE_UNREACHABLE' });
    await sender.release();
    expect(await exited).toBe(0);

    const again = await start(strict);
    expect((await again.status()).totals.received).toBe(2);
    expect(received(again).some(({ body }) => body.equals(big.dataSet))).toBe(true);
  });

  test('does not start on a data directory that is in use, and names who has it', async () => {
    const gateway = await start(strict);
    const second = await gantry('run', '--data', gateway.dataDirectory);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain('DATA_LOCKED');
    expect(second.stderr).toContain(`process ${gateway.process.pid} on `);
    expect(second.stderr).toContain('Stop that gateway first');
    expect((await gateway.status()).intake.open).toBe(true);

    await gateway.kill();
    const after = await start(strict);
    expect((await after.status()).intake.open).toBe(true);
  });

  test('does not start on an invalid configuration: exit 2 with path, cause and suggestion', async () => {
    const config = join(directory.path, 'config.json');
    writeFileSync(
      config,
      JSON.stringify({
        intake: { aeTitel: 'GANTRY', port: 'eleven' },
        destinations: { cloud: { type: 'stow', url: 'archive.example/studies' } },
      }),
    );
    const { code, stdout, stderr } = await gantry(
      'run',
      '--data',
      join(directory.path, 'data'),
      '--config',
      config,
    );
    expect(code).toBe(2);
    expect(stdout).not.toContain('"event":"ready"');
    expect(stderr).toMatch(/intake\.aeTitel\s+is not a known setting\s+→ Did you mean "aeTitle"\?/);
    expect(stderr).toMatch(/intake\.port\s+must be a whole number, not a text\s+→ /);
    expect(stderr).toMatch(/destinations\.cloud\.url\s+is not an http or https address\s+→ /);
    const check = await gantry('check-config', config);
    expect(check.code).toBe(2);
    expect(check.stderr).toContain(`${config}:1:12  intake.aeTitel`);
  });

  test('started without any configuration exits 2 and says what is missing', async () => {
    const { code, stderr } = await gantry('run', '--data', join(directory.path, 'data'));
    expect(code).toBe(2);
    expect(stderr).toContain('CONFIG_MISSING');
    expect(stderr).toContain('--config FILE');
  });

  test('keeps the configuration in use when the changed file is invalid, and says so', async () => {
    const first = await start({ ...strict, intake: { unknownCallers: 'refuse', aeTitle: 'FIRST' } });
    expect((await first.status()).config.generation).toBe(1);
    expect(await first.stop()).toBe(0);

    const second = await start({ ...strict, intake: { unknownCallers: 'maybe', aeTitle: 'SECOND' } });
    const kept = await second.status();
    expect(kept.intake.aeTitle).toBe('FIRST');
    expect(kept.config.generation).toBe(1);
    const line = second.lines.find((one) => one.includes('CONFIG_INVALID')) ?? '';
    expect(line).toContain('intake.unknownCallers');
    expect(line).toContain('the one in use stays');
    expect(await second.stop()).toBe(0);

    const third = await start({ ...strict, intake: { unknownCallers: 'refuse', aeTitle: 'THIRD' } });
    const taken = await third.status();
    expect(taken.intake.aeTitle).toBe('THIRD');
    expect(taken.config.generation).toBe(2);
  });
});

async function lineWith({ lines, process: child }: GatewayProcess, words: string): Promise<void> {
  while (!lines.some((line) => line.includes(words))) {
    if (child.exitCode !== null) throw new Error(`it ended without "${words}"`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
