import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GantryError } from '../base/errors.ts';
import { runProgram } from './machine.ts';

const installMsMax = 30 * 60_000;
const blinkMs = 250;
/** What a light on the front of a machine is called, the best first. */
const lights = [/gantry/i, /identify|locate|uid/i, /status|user/i, /pwr|power/i, /^led/i, /./];

/** @throws GantryError HELPER_TIME_ZONE, HELPER_PROGRAM */
export async function setTimeZone(root: string, timeZone: string): Promise<void> {
  const found = await stat(join(root, 'usr/share/zoneinfo', timeZone)).catch(() => null);
  if (found?.isFile() !== true) {
    throw failure(
      'HELPER_TIME_ZONE',
      'This machine does not know that time zone.',
      'Give it as Area/City, e.g. Europe/Berlin; "timedatectl list-timezones" lists them.',
    );
  }
  await runProgram('timedatectl', ['set-timezone', timeZone]);
}

/** Asks for it only: services, the gateway among them, are stopped in order first. @throws GantryError HELPER_PROGRAM */
export async function reboot(): Promise<void> {
  await runProgram('systemctl', ['--no-block', 'reboot']);
}

/**
 * Has RAUC install a bundle into the slot that is not in use. RAUC itself checks who signed it; the digest tells a
 * bundle that was fetched in part from a whole one.
 * @throws GantryError HELPER_BUNDLE_MISSING, HELPER_BUNDLE_DIGEST, HELPER_PROGRAM
 */
export async function install(updatesDirectory: string, bundle: string, sha256: string): Promise<void> {
  const path = join(updatesDirectory, bundle);
  // A link could lead to any file of the machine.
  if ((await lstat(path).catch(() => null))?.isFile() !== true) {
    throw failure(
      'HELPER_BUNDLE_MISSING',
      'There is no update of that name.',
      'Have the gateway fetch it once more.',
    );
  }
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  if (hash.digest('hex') !== sha256) {
    throw failure(
      'HELPER_BUNDLE_DIGEST',
      'The update is not the one that was announced: its digest differs.',
      'Have the gateway fetch it once more.',
    );
  }
  await runProgram('rauc', ['install', path], installMsMax);
}

/**
 * Blinks a light of the machine, so that somebody in front of it finds it; then it is as before.
 * @returns once it blinks; `ended` resolves when it is as before
 * @throws GantryError HELPER_NO_LIGHT
 */
export async function blink(
  root: string,
  seconds: number,
  signal: AbortSignal,
): Promise<{ readonly ended: Promise<void> }> {
  const folder = join(root, 'sys/class/leds');
  const names = await readdir(folder).catch(() => []);
  const name = lights.flatMap((light) => names.filter((one) => light.test(one)))[0];
  if (name === undefined) {
    throw failure(
      'HELPER_NO_LIGHT',
      'This machine has no light that can blink.',
      'Look for its id on the case.',
    );
  }
  const file = (part: string): string => join(folder, name, part);
  // The trigger in use stands in brackets.
  const trigger = /\[([^\]]+)\]/.exec(await readFile(file('trigger'), 'utf8').catch(() => ''))?.[1] ?? null;
  const lit = (await readFile(file('brightness'), 'utf8')).trim();
  const max = (await readFile(file('max_brightness'), 'utf8').catch(() => '1')).trim();
  if (trigger !== null) await writeFile(file('trigger'), 'none');
  await writeFile(file('brightness'), max);
  const turns = async (): Promise<void> => {
    try {
      for (let turn = 1; turn < (seconds * 1000) / blinkMs; turn += 1) {
        await delay(blinkMs, undefined, { signal });
        await writeFile(file('brightness'), turn % 2 === 0 ? max : '0');
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await writeFile(file('brightness'), lit);
      if (trigger !== null) await writeFile(file('trigger'), trigger);
    }
  };
  return { ended: turns() };
}

function failure(code: string, message: string, nextStep: string): GantryError {
  return new GantryError({ code, kind: 'permanent', message, nextStep });
}
