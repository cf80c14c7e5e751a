import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { GantryError } from '../base/errors.ts';
import { usage } from './arguments.ts';
import { ControlClient } from './control-client.ts';
import { dataOption } from './data-option.ts';
import { type DataOptions, offlineGateway } from './operator.ts';
import { readHidden } from './passphrase.ts';

/** `auth …`. */
export function addAuthCommands(program: Command): void {
  const auth = program.command('auth').description('who may sign in on the page');
  auth
    .command('reset')
    .description('lost the admin: print a pairing code that makes a new one, and sign everybody out')
    .addOption(dataOption())
    .action(async ({ data }: DataOptions) => {
      const code = await onBox(data, {
        running: (control) => control.authReset(),
        stopped: (auths) => auths.reset(),
      });
      console.log(`Pairing code: ${code}`);
      console.log('Within an hour, open the page over HTTPS and enter it with a name and a new password.');
    });
  auth
    .command('hash')
    .description(
      'print what "users" of the configuration takes for a password; reads it from the terminal or a pipe',
    )
    .action(async () => {
      const password = await readHidden('Password: ');
      if (password.length < 10) {
        const message = 'The password has fewer than 10 characters.';
        throw usage('USAGE_PASSWORD', message, 'Use a few words that only you would put together.');
      }
      console.log(await (await import('../gateway-access.ts')).hashPassword(password));
    });
  auth
    .command('code')
    .description('print a technician code: signs a visitor in for 8 hours, without a network')
    .requiredOption('--name <name>', 'who it is for; shown on the page and in the audit log', parseName)
    .option('--key <file>', 'private key from "auth keygen"; with --box, away from the box')
    .option('--box <id>', 'the box it is for: GANTRY-…')
    .option(
      '--data <dir>',
      'data directory: the code is made on the box, with its own key',
      process.env['GANTRY_DATA'],
    )
    .action(printCode);
  auth
    .command('keygen')
    .argument('<file>', 'where the private key goes; it must not exist yet')
    .description(
      'make a pair of keys for technician codes; prints the public one for "access.technicianKeys"',
    )
    .action(async (file: string) => {
      const keys = (await import('../gateway-access.ts')).makeTechnicianKeys();
      await writeFile(file, keys.privateKey, { mode: 0o600, flag: 'wx' });
      console.log(keys.publicKey);
    });
}

interface CodeOptions {
  readonly name: string;
  readonly key?: string;
  readonly box?: string;
  readonly data?: string;
}

async function printCode({ name, key, box, data }: CodeOptions): Promise<void> {
  if (key !== undefined && box !== undefined) {
    const { makeCodeWithKey } = await import('../gateway-access.ts');
    console.log(makeCodeWithKey(await readFile(key, 'utf8'), box, name));
    return;
  }
  if (key !== undefined || box !== undefined || data === undefined) {
    const message = 'It is not said with which key the code is to be made.';
    throw usage('USAGE_CODE', message, 'Give --key and --box, or --data on the box.');
  }
  const code = await onBox(data, {
    running: (control) => control.technicianCode(name),
    stopped: async (auths) => auths.makeCode(name),
  });
  console.log(code);
}

interface OnBox<T> {
  running(control: ControlClient): Promise<T>;
  stopped(auth: { reset(): Promise<string>; makeCode(name: string): string }): Promise<T>;
}

/** The running gateway does it; where none runs, this process does. */
async function onBox<T>(data: string, work: OnBox<T>): Promise<T> {
  await using control = new ControlClient(join(data, 'control.sock'));
  try {
    return await work.running(control);
  } catch (error) {
    if (!(error instanceof GantryError) || error.code !== 'CONTROL_NOT_RUNNING') throw error;
  }
  await using offline = await offlineGateway(data);
  return await work.stopped(await offline.auth());
}

function parseName(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_. -]{0,62}$/.test(text)) return text;
  throw usage('USAGE_NAME', 'This is not a usable name.', 'Use letters, digits, space, "-", "_" and ".".');
}
