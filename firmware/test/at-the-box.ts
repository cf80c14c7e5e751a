import { execFileSync } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { makeTestStudy } from '../../src/dicom/test-study.ts';
import { runProgram } from '../../test/e2e/peers.ts';
import type { RunningOrthanc } from '../../test/fixtures/orthanc.ts';
import { until } from '../../test/fixtures/until.ts';
import type { Images } from './images.ts';
import { type Machine, startMsMax } from './machine.ts';

/** The host's own loopback, from inside the box. */
export function asSeenByBox(url: string): string {
  return url.replace('127.0.0.1', '10.0.2.2');
}

/** Sends a study of one image as a modality would; only Success counts. @returns its SOP instance UID */
export async function sendStudy(box: Machine): Promise<string> {
  const study = makeTestStudy(Date.now());
  const path = join(box.directory, `${study.SOPInstanceUID}.dcm`);
  await writeFile(path, study.file);
  const target = ['-aet', 'CT1', '-aec', 'GANTRY', '127.0.0.1', `${box.ports.dicom}`];
  const { code, stderr } = await runProgram('storescu', [...target, path]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return study.SOPInstanceUID;
}

/** Until the archive has it. */
export async function arrived(orthanc: RunningOrthanc, uid: string): Promise<void> {
  const body = JSON.stringify({ Level: 'Instance', Query: { SOPInstanceUID: uid } });
  await until(async () => {
    const found = await fetch(`${orthanc.restUrl}/tools/find`, { method: 'POST', body });
    return ((await found.json()) as unknown[]).length === 1;
  }, startMsMax);
}

/** Presses a key of the console until it is answered. @returns from where on the console speaks of what follows */
export async function press(box: Machine, key: string, answer: RegExp): Promise<number> {
  let from = box.serial.length;
  await until(async () => {
    from = box.serial.length;
    box.type(key);
    return (await box.says(answer, from, 90_000)).index >= 0;
  }, startMsMax);
  return from;
}

/** Puts a stick with a bundle in. @param name of the stick's own image */
export async function insertUpdate(box: Machine, bundle: string, name: string): Promise<void> {
  const path = join(box.directory, `stick-${name}`);
  await box.insert(await makeStick(path, { 'gantry-update.raucb': bundle }));
}

/** What somebody with a stick does at the console. @returns from where on the console speaks of what follows */
export async function updateFrom(box: Machine, bundle: string, version: string): Promise<number> {
  await insertUpdate(box, bundle, version);
  const from = await press(box, 'i', /Replace version/);
  box.type('yes\n');
  await box.says(/Restarting\./, from);
  return from;
}

/** A stick with a provisioning file as firmware/README.md describes it. */
export async function provisioningStick(
  box: Machine,
  { keys }: Images,
  content: Readonly<Record<string, unknown>> & { readonly generation: number },
): Promise<string> {
  const signer = ['-signer', join(keys, 'provision.pem'), '-inkey', join(keys, 'provision.key')];
  const sign = ['cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', ...signer];
  const file = join(box.directory, `provision-${content.generation}.p7m`);
  await writeFile(file, execFileSync('openssl', sign, { input: JSON.stringify(content) }));
  const path = join(box.directory, `stick-provision-${content.generation}`);
  return await makeStick(path, { 'gantry-provision.p7m': file });
}

/** An image of a USB stick with these files: their names on the stick, and where they are. */
async function makeStick(path: string, files: Readonly<Record<string, string>>): Promise<string> {
  await rm(path, { force: true });
  execFileSync('truncate', ['-s', '512M', path]);
  execFileSync('mkfs.vfat', ['-n', 'STICK', path], { stdio: 'ignore' });
  for (const [name, file] of Object.entries(files)) execFileSync('mcopy', ['-i', path, file, `::${name}`]);
  return path;
}
