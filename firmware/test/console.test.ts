import { mkdtemp, rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { press, provisioningStick, sendStudy } from './at-the-box.ts';
import { buildImages, type Images } from './images.ts';
import { Machine } from './machine.ts';

let directory: string;
let images: Images;
let box: Machine;
let recoveryKey: string;

beforeAll(async () => {
  directory = await mkdtemp('/var/tmp/gantry-box-');
  images = buildImages();
  box = await Machine.create({ directory, image: images.disk, tpm: true });
});

afterAll(async () => {
  await box?.kill();
  await rm(directory, { recursive: true, force: true });
});

test('commissioning is complete only once the recovery key has opened the data', async () => {
  const config = {
    intake: { unknownCallers: 'accept' },
    destinations: { archive: { type: 'stow', url: 'https://archive-not-set.invalid/studies' } },
  };
  await box.start(await provisioningStick(box, images, { generation: 1, config }));
  await box.says(/generation 1 is in use/);
  await box.says(/this start of version 1\.0\.0 is good/);
  await box.says(/Commission +NOT COMPLETE/);
  const wrong = await press(box, 'k', /Now type it/);
  recoveryKey = (await box.says(/(?:[cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}/, wrong))[0];
  box.type(`${recoveryKey.replace(/^./, 'x')}\n`);
  await box.says(/That does not open the data/, wrong);
  const right = await press(box, 'k', /Now type it/);
  box.type(`${recoveryKey}\n`);
  await box.says(/It opens the data/, right);
  await box.says(/Commission +complete/, right);
});

test('with another TPM the data stays locked until the recovery key is typed, and nothing is lost', async () => {
  await sendStudy(box);
  await box.kill();
  await box.replaceTpm();
  const from = box.serial.length;
  await box.start();
  await box.says(/THE DATA IS LOCKED/, from);
  await press(box, 'u', /Recovery key:/);
  box.type(`${recoveryKey}\n`);
  await box.says(/Let the TPM of this box open it/, from);
  box.type('yes\n');
  await box.says(/Done\./, from);
  await box.says(/Waiting +1 studies, 1 images/, from);
});

test('a factory reset asks twice for unsent images, and leaves nothing but the systems', async () => {
  const from = await press(box, 'f', /Type "reset"/);
  box.type('reset\n');
  await box.says(/1 images on this box are in no archive/, from);
  box.type('delete 1\n');
  await box.says(/Restarting; everything is deleted/, from);
  await box.says(/factory reset: everything on this box is deleted/, from);
  await box.says(/this start of version 1\.0\.0 is good/, from);
  const now = await box.says(/Waiting +0 studies, 0 images[^]*?----\r?\n/, from);
  expect(now[0]).toMatch(/Commission +NOT COMPLETE/);
  expect(now[0]).not.toContain('Provision ');
  // The configuration that let unknown devices in is gone as well.
  await expect(sendStudy(box)).rejects.toThrow();
});
