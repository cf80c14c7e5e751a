import { readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import {
  daysOption,
  requireAuthority,
  withAuthority,
  type WithAuthority,
  writeCopy,
} from './fleet-certificates.ts';
import { directoryOption } from './fleet-custody.ts';
import { type UnlockOptions, vaultOpener, withUnlock } from './fleet-secrets.ts';

/** `fleet device …`: a box that is lost, stolen or broken. */
export function addDeviceCommands(fleet: Command): void {
  const device = fleet.command('device').description('a box that is lost, stolen or broken');
  const revoke = device
    .command('revoke')
    .argument('<device>', 'its id')
    .description('take a box out of the fleet: it gets nothing any more, and its certificate is refused')
    .requiredOption('--reason <text>', 'for people, e.g. "stolen"')
    .option('--crl <file>', 'a copy of the list of revoked certificates, for a web server or broker')
    .addOption(directoryOption());
  withAuthority(revoke, true).action(revokeOne);
  const replace = device
    .command('replace')
    .argument('<device>', 'id of the box that is dead')
    .description('put a new box in its place: labels, overrides, configuration; the old one is revoked')
    .requiredOption('--request <file>', 'file that "gantry enroll request" wrote on the new box')
    .requiredOption('--code <code>', 'claim code that the new box showed')
    .requiredOption('--answer <file>', 'where the answer for the new box goes')
    .option('--crl <file>', 'a copy of the list of revoked certificates, for a web server or broker')
    .addOption(directoryOption())
    .addOption(daysOption());
  withUnlock(withAuthority(replace, true)).action(replaceOne);
}

const afterwards = 'Web servers and brokers refuse the old certificate once they have read the list anew.';

async function revokeOne(
  id: string,
  options: WithAuthority & { readonly reason: string; readonly crl?: string },
): Promise<void> {
  const { revokeBox } = await import('../fleet/retire.ts');
  const { dir, reason, crl } = options;
  const done = await revokeBox(dir, id, await requireAuthority(options), { reason, now: new Date() });
  if (crl !== undefined) await writeCopy(crl, done.list);
  console.log(`${id}: ${done.certificates} certificates revoked. Now: render, timestamp and publish.`);
  console.log(afterwards);
}

interface ReplaceOptions extends WithAuthority, UnlockOptions {
  readonly request: string;
  readonly code: string;
  readonly answer: string;
  readonly crl?: string;
  readonly days: number;
}

async function replaceOne(id: string, options: ReplaceOptions): Promise<void> {
  const { replaceBox } = await import('../fleet/replace.ts');
  const { dir, code, crl, days } = options;
  const asked = { request: await readFile(options.request), code };
  const authority = await requireAuthority(options);
  const done = await replaceBox(dir, id, asked, authority, {
    days,
    now: new Date(),
    openVault: vaultOpener(dir, options),
  });
  await writeFile(options.answer, done.answer);
  if (crl !== undefined) await writeCopy(crl, done.list);
  const what = done.generation === null ? 'nothing yet' : `generation ${done.generation}`;
  console.log(`${done.device} takes the place of ${id}: ${what}.`);
  console.log('Bring it the answer, then render, sign, timestamp and publish.');
  console.log(afterwards);
}
