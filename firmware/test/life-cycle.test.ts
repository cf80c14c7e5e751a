import { mkdtemp, rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runProgram } from '../../test/e2e/peers.ts';
import { type RunningOrthanc, startOrthanc } from '../../test/fixtures/orthanc.ts';
import { arrived, asSeenByBox, provisioningStick, sendStudy, updateFrom } from './at-the-box.ts';
import { buildImages, type Images } from './images.ts';
import { Machine } from './machine.ts';

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

test('a new box, provisioned by a stick, receives by DICOM and forwards to the archive', async () => {
  const config = {
    site: { name: 'North Clinic' },
    intake: { unknownCallers: 'accept' },
    destinations: { archive: { type: 'stow', url: asSeenByBox(orthanc.url) } },
  };
  await box.start(await provisioningStick(box, images, { generation: 1, hostName: 'north-clinic', config }));
  await box.says(/generation 1 is in use/);
  await box.says(/this start of version 1\.0\.0 is good/);
  await box.ready();
  const console = await box.says(
    /Gantry 1\.0\.0 +\(system A\)[^]*?AE title +GANTRY[^]*?Pairing +[0-9A-Z]{4}-[0-9A-Z]{4}[^]*?Data +opened by the TPM/,
  );
  expect(console[0]).toContain('DEVELOPMENT KEYS');
  expect((await box.status()).site.name).toBe('North Clinic');
  const echo = await runProgram('echoscu', ['-aec', 'GANTRY', '127.0.0.1', `${box.ports.dicom}`]);
  expect(echo.code).toBe(0);
  await arrived(orthanc, await sendStudy(box));
});

test('an update takes over, and what waited before it arrives after it', async () => {
  await orthanc.kill();
  const waiting = await sendStudy(box);
  const from = await updateFrom(box, images.good, '2.0.0');
  await box.says(/this start of version 2\.0\.0 is good/, from);
  await box.says(/Gantry 2\.0\.0 +\(system B\)[^]*?Update +2\.0\.0: The new version is in use/, from);
  await orthanc.start();
  await arrived(orthanc, waiting);
});

test('an update whose gateway does not run gives itself up, and the version before it is there again', async () => {
  await orthanc.kill();
  const waiting = await sendStudy(box);
  const from = await updateFrom(box, images.broken, '3.0.0');
  await box.says(/giving this version up: the gateway does not run/, from);
  await box.says(/the update did not last: this is version 2\.0\.0 again/, from);
  await box.says(
    /Gantry 2\.0\.0 +\(system B\)[^]*?Update +3\.0\.0: The new version did not start well/,
    from,
  );
  await box.says(/this start of version 2\.0\.0 is good/, from);
  await orthanc.start();
  await arrived(orthanc, waiting);
  await arrived(orthanc, await sendStudy(box));
});
