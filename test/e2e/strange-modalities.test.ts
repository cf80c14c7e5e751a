import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { SandboxArchive } from '../../src/demo/sandbox-archive.ts';
import { part10Header } from '../../src/dicom/part10.ts';
import type { SOPClassUID } from '../../src/dicom/uid.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { ctSlice, type MadeInstance, usMultiframe } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { readDataSet, readPart10Head } from '../fixtures/send-files.ts';
import { patienceMs, present, type ProgramRun, runProgram } from './peers.ts';

/*
 * Strange modalities as DCMTK can play them; the rest is in `test/intake/strange-modalities*.test.ts`. What counts
 * is what the archive got in the end.
 */

const ready = present('test/e2e/strange-modalities.test.ts', 'DCMTK');

describe.skipIf(!ready)('a strange modality (DCMTK)', { timeout: patienceMs }, () => {
  let directory: TemporaryDirectory;
  let archive: SandboxArchive;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    directory = temporaryDirectory();
    archive = new SandboxArchive({
      dataDir: join(directory.path, 'archive'),
      host: '127.0.0.1',
      port: 0,
      log: silentLog,
    });
    const { url } = await archive.start();
    gateway = await startGateway(join(directory.path, 'data'), {
      destinations: { cloud: { type: 'stow', url } },
      modalities: { ct: { aeTitle: 'CT1' } },
    });
  });
  afterAll(async () => {
    await gateway.kill();
    await archive.stop();
    directory[Symbol.dispose]();
  });

  let files = 0;
  function file(instance: MadeInstance): string {
    files += 1;
    const path = join(directory.path, `${files}.dcm`);
    writeFileSync(path, Buffer.concat([part10Header(instance), instance.dataSet]));
    return path;
  }

  function run(tool: string, options: readonly string[], paths: readonly string[] = []): Promise<ProgramRun> {
    const to = ['-aet', 'CT1', '-aec', 'GANTRY', '127.0.0.1', String(gateway.dicomPort)];
    return runProgram(tool, [...options, ...to, ...paths]);
  }

  /** Sends one instance by storescu; it must be answered with Success. */
  async function store(instance: MadeInstance, ...options: string[]): Promise<ProgramRun> {
    const result = await run('storescu', ['-v', ...options], [file(instance)]);
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).toMatch(/Received Store Response \(Success\)|DIMSE Status +: 0x0000: Success/);
    return result;
  }

  /** Waits until the archive has the instance, and reads what it has. */
  async function archived({ SOPInstanceUID }: MadeInstance): Promise<{ syntax: string; dataSet: Buffer }> {
    const folder = join(directory.path, 'archive', 'instances');
    const read = async (): Promise<{ syntax: string; dataSet: Buffer }> => {
      for (const name of existsSync(folder) ? readdirSync(folder) : []) {
        const path = join(folder, name);
        const head = await readPart10Head(path);
        if (head.SOPInstanceUID !== SOPInstanceUID) continue;
        return { syntax: head.TransferSyntaxUID, dataSet: await readDataSet(path) };
      }
      throw new Error('the archive does not have it');
    };
    return vi.waitFor(read, { timeout: 60_000, interval: 50 });
  }

  const small = { rows: 64, columns: 64 };

  test.each([
    ['-pdu', '4096'],
    ['-pdu', '131072'],
    ['--max-send-pdu', '4096'],
    ['--max-send-pdu', '131072'],
  ])('with %s %s: stored, and at the archive byte for byte', async (...options) => {
    const slice = ctSlice({ rows: 512, columns: 512, seed: 1 });
    await store(slice, '-xe', ...options);
    expect((await archived(slice)).dataSet.equals(slice.dataSet)).toBe(true);
  });

  test('that speaks implicit little endian only: stored so, byte for byte', async () => {
    const slice = ctSlice({ ...small, seed: 2, encoding: 'implicit-le' });
    const { stderr } = await store(slice, '-d', '-xi', '-R');
    expect(stderr).not.toContain('Proposed Transfer Syntax(es): =LittleEndianExplicit');
    const { syntax, dataSet } = await archived(slice);
    expect(syntax).toBe('1.2.840.10008.1.2');
    expect(dataSet.equals(slice.dataSet)).toBe(true);
  });

  test('that prefers big endian: stored so, byte for byte', async () => {
    const slice = ctSlice({ ...small, seed: 3, encoding: 'explicit-be' });
    await store(slice, '-xb', '-R');
    const { syntax, dataSet } = await archived(slice);
    expect(syntax).toBe('1.2.840.10008.1.2.2');
    expect(dataSet.equals(slice.dataSet)).toBe(true);
  });

  test('that deflates: the deflated bytes are kept, and inflate to its data set', async () => {
    const slice = ctSlice({ ...small, seed: 4 });
    const path = file(slice);
    const deflatedPath = join(directory.path, 'deflated.dcm');
    expect((await runProgram('dcmconv', ['+td', path, deflatedPath])).code).toBe(0);
    const { code, stderr } = await run('storescu', ['-v', '-xd', '-R'], [deflatedPath]);
    expect(code, stderr).toBe(0);
    const { syntax, dataSet } = await archived(slice);
    expect(syntax).toBe('1.2.840.10008.1.2.1.99');
    expect(inflateRawSync(dataSet).equals(slice.dataSet)).toBe(true);
  });

  test('that aborts after its last answer: stored, and not shown as refused', async () => {
    const slice = ctSlice({ ...small, seed: 5 });
    await store(slice, '-xe', '--abort');
    expect((await archived(slice)).dataSet.equals(slice.dataSet)).toBe(true);
    expect((await gateway.status()).modalities['ct']?.lastRefusal).toBeNull();
    expect((await run('echoscu', ['-v', '--abort'])).code).toBe(0);
    expect((await gateway.status()).modalities['ct']?.lastRefusal).toBeNull();
  });

  test('that identifies its user by name and password: stored; the password is in no log', async () => {
    const slice = ctSlice({ ...small, seed: 6 });
    await store(slice, '-xe', '-usr', 'radiographer', '-pwd', 'S3CRET-PASS');
    expect((await archived(slice)).dataSet.equals(slice.dataSet)).toBe(true);
    expect(gateway.lines.join('\n')).not.toMatch(/S3CRET-PASS|radiographer/);
  });

  test('that insists on a positive answer to its user identity leaves by itself: we vouch for nobody', async () => {
    const user = ['-usr', 'radiographer', '-pwd', 'S3CRET-PASS', '-rsp'];
    const { code, stderr } = await run('storescu', ['-v', ...user], [file(ctSlice({ ...small, seed: 9 }))]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('Positive response requested but none received');
  });

  test('that proposes 38 transfer syntaxes in each of 128 contexts, or sends 20 C-ECHOs: answered', async () => {
    for (const options of [
      ['-pts', '38', '-ppc', '128'],
      ['--repeat', '20'],
    ]) {
      const { code, stderr } = await run('echoscu', ['-v', ...options]);
      expect(code, stderr).toBe(0);
    }
  });

  test('that proposes both roles, extended negotiation and 30 transfer syntaxes for a private class: stored', async () => {
    const privateClass = '1.2.276.0.9.9.5.1.7777777';
    const slice = ctSlice({ ...small, seed: 7 });
    const dataSet = Buffer.from(slice.dataSet);
    dataSet.write(privateClass, dataSet.indexOf(slice.SOPClassUID), 'latin1');
    const instance = { ...slice, SOPClassUID: privateClass as SOPClassUID, dataSet };
    const profile = join(directory.path, 'profile.cfg');
    writeFileSync(profile, strangeProfile(privateClass));
    const { stderr } = await store(instance, '-d', '-xf', profile, 'Strange');
    expect(stderr.match(/=?(?:1\.2\.276\.0\.9\.9\.6\.\d+)/g)?.length).toBeGreaterThanOrEqual(29);
    expect(stderr).toMatch(/Proposed SCP\/SCU Role: SCP\/SCU[^]*Accepted SCP\/SCU Role: SCU\n/);
    expect(stderr).toMatch(/Accepted Extended Negotiation: +none/);
    expect((await archived(instance)).dataSet.equals(dataSet)).toBe(true);
  });

  test('that asks us questions (C-FIND, C-MOVE, C-GET): has no context accepted, and can read why', async () => {
    for (const tool of ['findscu', 'movescu', 'getscu']) {
      const { code, stderr } = await run(tool, [
        '-d',
        '-S',
        '-k',
        'QueryRetrieveLevel=STUDY',
        '-k',
        'StudyInstanceUID=1.2.3',
      ]);
      expect(code, tool).not.toBe(0);
      expect(stderr, tool).toMatch(/Context ID: +1 \(Abstract Syntax Not Supported\)/);
      expect(stderr, tool).toContain('No Acceptable Presentation Contexts');
    }
  });

  test('of which two send one instance at once: both are told Success, and one copy is kept', async () => {
    const clip = usMultiframe({ rows: 64, columns: 64, frames: 400, seed: 8 });
    const before = (await gateway.status()).totals;
    await Promise.all([store(clip, '-xy', '-R'), store(clip, '-xy', '-R')]);
    expect((await archived(clip)).dataSet.equals(clip.dataSet)).toBe(true);
    // Counts are read anew a few times a second.
    const { totals } = await gateway.until((status) => status.totals.received > before.received);
    expect([totals.received - before.received, totals.conflicts - before.conflicts]).toEqual([1, 0]);
  });
});

/** A negotiation profile for storescu: one private class, 29 private syntaxes and a standard one. */
function strangeProfile(privateClass: string): string {
  const privates = Array.from(
    { length: 29 },
    (_, index) => `TransferSyntax${index + 1} = 1.2.276.0.9.9.6.${index}`,
  );
  return [
    '[[TransferSyntaxes]]',
    '[Thirty]',
    ...privates,
    'TransferSyntax30 = LittleEndianExplicit',
    '[[PresentationContexts]]',
    '[Private]',
    `PresentationContext1 = ${privateClass}\\Thirty`,
    '[[SCPSCURoleSelection]]',
    '[Both]',
    `Role1 = ${privateClass}\\BOTH`,
    '[[ExtendedNegotiation]]',
    '[Extended]',
    `ExtendedNegotiation1 = ${privateClass}\\020001`,
    '[[Profiles]]',
    '[Strange]',
    'PresentationContexts = Private',
    'SCPSCURoleSelection = Both',
    'ExtendedNegotiation = Extended',
    '',
  ].join('\n');
}
