import { mkdtemp, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningOrthanc, startOrthanc } from '../../test/fixtures/orthanc.ts';
import { arrived, asSeenByBox, insertUpdate, press, provisioningStick, sendStudy } from './at-the-box.ts';
import { buildImages, type Images } from './images.ts';
import { Machine } from './machine.ts';

/** QEMU is killed: a crash of the machine, not a power cut, as the host keeps what the disk was told. */
const kills = Number(process.env['GANTRY_FIRMWARE_KILLS'] ?? 10);
/** From the first bytes of an installation to a start of the new version. */
const spreadMs = 240_000;
const hourMs = 3_600_000;

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

test('a machine that is killed during an update starts again, and what it received arrives', {
  timeout: 3 * hourMs,
}, async () => {
  const config = {
    intake: { unknownCallers: 'accept' },
    destinations: { archive: { type: 'stow', url: asSeenByBox(orthanc.url) } },
  };
  await box.start(await provisioningStick(box, images, { generation: 1, config }));
  await box.says(/generation 1 is in use/);
  let from = 0;
  for (let turn = 0; turn < kills; turn += 1) {
    await box.says(/this start of version [12]\.0\.0 is good/, from);
    const uid = await sendStudy(box);
    await insertUpdate(box, images.good, `kill-${turn}`);
    from = await press(box, 'i', /Replace version/);
    box.type('yes\n');
    await box.says(/Installing/, from);
    await delay((turn * spreadMs) / kills);
    await box.kill();
    from = box.serial.length;
    await box.start();
    await box.says(/this start of version [12]\.0\.0 is good/, from);
    await arrived(orthanc, uid);
    from = box.serial.lastIndexOf('this start of version');
    process.stderr.write(`kill ${turn + 1} of ${kills}: ${box.serial.slice(from, from + 40)}\n`);
  }
  expect(kills).toBeGreaterThan(0);
});
