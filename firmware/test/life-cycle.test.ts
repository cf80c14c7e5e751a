import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeTestStudy } from '../../src/dicom/test-study.ts';
import { runProgram } from '../../test/e2e/peers.ts';
import { type RunningOrthanc, startOrthanc } from '../../test/fixtures/orthanc.ts';
import { until } from '../../test/fixtures/until.ts';
import { buildImages, type Images } from './images.ts';
import { Machine, makeStick, signProvisioning, startMsMax } from './machine.ts';

let directory: string;
let images: Images;
let orthanc: RunningOrthanc;
let box: Machine;

beforeAll(async () => {
  directory = await mkdtemp('/var/tmp/gantry-box-');
  images = buildImages();
  const started = await startOrthanc({ environment: { TCP_NODELAY: '1' } });
  if (started === null) throw new Error('The appliance is tested with Orthanc: install it.');
  orthanc = started;
  box = await Machine.create({ directory, image: images.disk, tpm: true });
});

afterAll(async () => {
  await box?.kill();
  await orthanc?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Sends a study of one image as a modality would; only Success counts. */
async function sendStudy(): Promise<string> {
  const study = makeTestStudy(Date.now());
  const path = join(directory, `${study.SOPInstanceUID}.dcm`);
  await writeFile(path, study.file);
  const { code, stderr } = await runProgram('storescu', [
    '-aet',
    'CT1',
    '-aec',
    'GANTRY',
    '127.0.0.1',
    `${box.ports.dicom}`,
    path,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return study.SOPInstanceUID;
}

async function arrived(uid: string): Promise<void> {
  const body = JSON.stringify({ Level: 'Instance', Query: { SOPInstanceUID: uid } });
  await until(async () => {
    const found = (await (
      await fetch(`${orthanc.restUrl}/tools/find`, { method: 'POST', body })
    ).json()) as unknown[];
    return found.length === 1;
  }, startMsMax);
}

/** What somebody with a stick does at the console. @returns from where on the console speaks of what follows */
async function updateFrom(bundle: string, version: string): Promise<number> {
  const stick = await makeStick(join(directory, `stick-${version}`), { 'gantry-update.raucb': bundle });
  await box.insert(stick);
  let from = box.serial.length;
  await until(async () => {
    from = box.serial.length;
    box.type('i');
    const answer = await box.says(/There is no stick|Replace version/, from, 60_000);
    return answer[0] === 'Replace version';
  }, 120_000);
  box.type('yes\n');
  await box.says(/Restarting\./, from);
  return from;
}

test('a new box, provisioned by a stick, receives by DICOM and forwards to the archive', async () => {
  const provision = signProvisioning(images.keys, {
    generation: 1,
    hostName: 'north-clinic',
    config: {
      site: { name: 'North Clinic' },
      intake: { unknownCallers: 'accept' },
      destinations: { archive: { type: 'stow', url: orthanc.url.replace('127.0.0.1', '10.0.2.2') } },
    },
  });
  await writeFile(join(directory, 'provision'), provision);
  await box.start(
    await makeStick(join(directory, 'stick-1'), { 'gantry-provision.p7m': join(directory, 'provision') }),
  );
  await box.says(/generation 1 is in use/);
  await box.says(/this start of version 1\.0\.0 is good/);
  await box.ready();
  const console = await box.says(
    /Gantry 1\.0\.0 +\(system A\)[^]*?AE title +GANTRY[^]*?Pairing +[0-9A-Z]{4}-[0-9A-Z]{4}[^]*?Data +opened by the TPM/,
  );
  expect(console[0]).toContain('DEVELOPMENT KEYS');
  expect((await box.status()).site.name).toBe('North Clinic');
  expect(
    execFileSync('echoscu', ['-v', '-aec', 'GANTRY', '127.0.0.1', `${box.ports.dicom}`]).length,
  ).toBeGreaterThanOrEqual(0);
  await arrived(await sendStudy());
});

test('an update takes over, and what waited before it arrives after it', async () => {
  await orthanc.kill();
  const waiting = await sendStudy();
  const from = await updateFrom(images.good, '2.0.0');
  await box.says(/this start of version 2\.0\.0 is good/, from);
  await box.says(/Gantry 2\.0\.0 +\(system B\)[^]*?Update +2\.0\.0: The new version is in use/, from);
  await orthanc.start();
  await arrived(waiting);
});

test('an update whose gateway does not run gives itself up, and the version before it is there again', async () => {
  await orthanc.kill();
  const waiting = await sendStudy();
  const from = await updateFrom(images.broken, '3.0.0');
  await box.says(/giving this version up: the gateway does not run/, from);
  await box.says(/the update did not last: this is version 2\.0\.0 again/, from);
  await box.says(
    /Gantry 2\.0\.0 +\(system B\)[^]*?Update +3\.0\.0: The new version did not start well/,
    from,
  );
  await box.says(/this start of version 2\.0\.0 is good/, from);
  await orthanc.start();
  await arrived(waiting);
  await arrived(await sendStudy());
});
