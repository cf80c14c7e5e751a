import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { entryName } from '../config/values.ts';
import type { SecretVault } from '../fleet/secrets.ts';
import { usage } from './arguments.ts';
import { exitCodes } from './exit-codes.ts';
import { directoryOption } from './fleet-custody.ts';
import { readPassphrase, readSecret } from './passphrase.ts';

export interface UnlockOptions {
  readonly identity?: string;
  readonly passphraseFile?: string;
}

interface SecretOptions extends UnlockOptions {
  readonly dir: string;
}

/** `fleet secrets …`: passwords and tokens that boxes get sealed. A value never stands on a command line. */
export function addSecretCommands(fleet: Command): void {
  const secrets = fleet.command('secrets').description('passwords and tokens that boxes get sealed');
  secrets
    .command('init')
    .description('make secrets.age, encrypted with a passphrase that is asked for, or to age recipients')
    .addOption(directoryOption())
    .option('--recipient <key>', 'age public key ("age1…"); may be repeated', collect, [])
    .option('--passphrase-file <file>', 'file whose first line is the passphrase')
    .action(init);
  const inside = (name: string, about: string) =>
    withUnlock(secrets.command(name).description(about).addOption(directoryOption()));
  secrets
    .command('list')
    .description('the names of the secrets, and nothing else')
    .addOption(directoryOption())
    .option('--json', 'as JSON')
    .action(list);
  inside('set', 'put in a secret, or give it another value: at a prompt, or by a pipe')
    .argument('<name>')
    .action(set);
  inside('remove', 'take a secret out').argument('<name>').action(remove);
}

/** What opens `secrets.age`. */
export function withUnlock(command: Command): Command {
  return command
    .option('--identity <file>', 'age identity that opens secrets.age')
    .option('--passphrase-file <file>', 'file whose first line is the passphrase of secrets.age');
}

/** Opens the secrets once, when something asks for them for the first time. */
export function vaultOpener(directory: string, options: UnlockOptions): () => Promise<SecretVault> {
  let opened: Promise<SecretVault> | null = null;
  return () => (opened ??= openVault(directory, options));
}

/** @throws GantryError FLEET_NO_SECRETS, FLEET_SECRETS_LOCKED, USAGE_SECRETS */
async function openVault(
  directory: string,
  { identity, passphraseFile }: UnlockOptions,
): Promise<SecretVault> {
  const { asksForPassphrase, SecretVault } = await import('../fleet/secrets.ts');
  if (!(await asksForPassphrase(directory))) {
    if (identity !== undefined)
      return SecretVault.open(directory, { identity: await readFile(identity, 'utf8') });
    throw usage('USAGE_SECRETS', 'secrets.age is encrypted to recipients.', 'Give --identity FILE.');
  }
  mustBeAsked(passphraseFile);
  return SecretVault.open(directory, { passphrase: await readPassphrase(passphraseFile) });
}

/** A pipe holds something else: it is not read as a passphrase. */
function mustBeAsked(passphraseFile: string | undefined): void {
  if (passphraseFile !== undefined || process.stdin.isTTY) return;
  const message = 'The passphrase of secrets.age cannot be asked for: this is no terminal.';
  throw usage('USAGE_SECRETS', message, 'Give --passphrase-file FILE.');
}

const passphraseCharsMin = 10;

async function init({
  dir,
  recipient,
  passphraseFile,
}: SecretOptions & { recipient: string[] }): Promise<void> {
  const { SecretVault } = await import('../fleet/secrets.ts');
  if (recipient.length > 0) await SecretVault.create(dir, { recipients: recipient });
  else {
    mustBeAsked(passphraseFile);
    const passphrase = await readPassphrase(passphraseFile);
    if (passphrase.length < passphraseCharsMin) {
      const message = `The passphrase has fewer than ${passphraseCharsMin} characters.`;
      throw usage('USAGE_PASSPHRASE', message, 'Use a few words that only you would put together.');
    }
    await SecretVault.create(dir, { passphrase });
  }
  console.log('wrote secrets.age and secrets.json. Next: gantry fleet secrets set NAME');
}

async function list({ dir, json }: { dir: string; json?: boolean }): Promise<void> {
  const { readFleetFolder } = await import('../fleet/fleet-folder.ts');
  const names = [...(await readFleetFolder(dir)).secrets.keys()].toSorted();
  if (json) console.log(JSON.stringify({ secrets: names }));
  else console.log(names.length === 0 ? 'none' : names.join('\n'));
}

async function set(name: string, options: SecretOptions): Promise<void> {
  if (!entryName.safeParse(name).success)
    throw usage('USAGE_SECRETS', 'That is no name for a secret.', 'Use letters, digits, "-", "_" and ".".');
  const vault = await openVault(options.dir, options);
  const done = await vault.set(name, await readSecret(`Value of ${name}: `));
  const next = { new: 'is new', changed: 'has another value', unchanged: 'had this value already' }[done];
  console.log(`${name} ${next}.${done === 'unchanged' ? '' : ' Next: render, sign, publish.'}`);
}

async function remove(name: string, options: SecretOptions): Promise<void> {
  const vault = await openVault(options.dir, options);
  if (await vault.remove(name)) console.log(`${name} is taken out.`);
  else {
    console.error(`There is no secret "${name}".`);
    process.exitCode = exitCodes.failed;
  }
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
