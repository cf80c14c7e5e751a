import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { fleetName, type TrustDocument } from '../config/remote/documents.ts';
import { approvalCommand } from './fleet-approve.ts';
import { usage } from './arguments.ts';
import { readPassphrase } from './passphrase.ts';

export interface KeyOptions {
  /** File with a private key. */
  readonly key: string;
  readonly passphraseFile?: string;
}

/** `fleet keys …`, `fleet trust …`, `fleet sign`, `fleet approve`, `fleet timestamp`: who may say what to the boxes. */
export function addCustodyCommands(fleet: Command): void {
  addKeyCommands(fleet);
  addTrustCommands(fleet);
  withKey(
    fleet
      .command('sign')
      .argument('<out>', 'folder that "fleet render" wrote to')
      .description('sign rendered documents; offline, with nothing but this folder and a key'),
  )
    .option('--device <id>', 'this box only')
    .action(async (out: string, options: KeyOptions & { device?: string }) => {
      const { signRendered } = await import('../fleet/sign.ts');
      const key = await openKey(options);
      let count = 0;
      for await (const { signatures } of signRendered(out, key, options.device ?? null)) {
        count += signatures > 0 ? 1 : 0;
      }
      console.log(`Signed: ${count}`);
    });
  withKey(
    fleet
      .command('timestamp')
      .argument('<out>', 'folder of signed documents')
      .description('sign which documents are newest now; repeat it before it expires, from cron'),
  )
    .addOption(directoryOption())
    .option('--valid <hours>', 'how long it is good for: 1 to 8760', parseHours, 72)
    .action(async (out: string, options: KeyOptions & { dir: string; valid: number }) => {
      const { writeTimestamp } = await import('../fleet/timestamp.ts');
      const key = await openKey(options);
      const made = await writeTimestamp({
        directory: options.dir,
        out,
        key,
        validHours: options.valid,
        now: new Date(),
      });
      console.log(`Boxes: ${made.index.boxes}\nGood until: ${made.expiresAt}`);
    });
  approvalCommand(fleet);
}

function addKeyCommands(fleet: Command): void {
  const keys = fleet.command('keys').description('keys of those who sign');
  keys
    .command('new')
    .argument('<file>', 'where the private key goes; the public one goes to FILE.pub')
    .description('make a key, encrypted with a passphrase that is asked for')
    .option('--passphrase-file <file>', 'file whose first line is the passphrase')
    .option('--no-passphrase', 'leave the key in clear, for one that a program uses with nobody there')
    .action(async (file: string, options: { passphraseFile?: string; passphrase: boolean }) => {
      const { makeKeyFile } = await import('../fleet/key-file.ts');
      const { writeNewFile } = await import('../fleet/files.ts');
      const passphrase = options.passphrase ? await readPassphrase(options.passphraseFile) : null;
      if (passphrase !== null && passphrase.length < 10) {
        const message = 'The passphrase has fewer than 10 characters.';
        throw usage('USAGE_PASSPHRASE', message, 'Use a few words that only you would put together.');
      }
      const made = await makeKeyFile(passphrase);
      await writeNewFile(file, made.privateText, 0o600);
      await writeNewFile(`${file}.pub`, `${JSON.stringify(made.public)}\n`, 0o644);
      console.log(made.public.id);
    });
  keys
    .command('rotate')
    .description('draft a trust document with a new key in the roles of an old one')
    .addOption(directoryOption())
    .requiredOption('--old <id>', 'id of the key that goes')
    .requiredOption('--new <file>', 'public file (FILE.pub) of the key that comes')
    .action(async ({ dir, old, new: file }: { dir: string; old: string; new: string }) => {
      const chain = await import('../fleet/trust-chain.ts');
      const { document } = await chain.requireTrust(dir);
      const known = document.keys[old];
      if (known === undefined)
        throw usage('USAGE_KEY', 'The trust document names no such key.', 'See "gantry fleet trust show".');
      const add = [{ file: await publicKey(file), roles: known.roles }];
      tellDraft(await chain.draftNextTrust(dir, { add, remove: [old] }, new Date()));
    });
}

interface TrustOptions {
  readonly dir: string;
  readonly key: readonly string[];
  readonly remove?: readonly string[];
  readonly threshold: readonly string[];
  readonly revoke?: readonly string[];
  readonly deviceCa: readonly string[];
}

function addTrustCommands(fleet: Command): void {
  const trust = fleet.command('trust').description('whom the boxes believe');
  changeOptions(trust.command('init').description('draft the first trust document'))
    .requiredOption('--fleet <name>', 'name of the fleet', parseFleet)
    .action(async (options: TrustOptions & { fleet: string }) => {
      const chain = await import('../fleet/trust-chain.ts');
      const name = fleetName.parse(options.fleet);
      tellDraft(await chain.draftFirstTrust(options.dir, name, await changeOf(options), new Date()));
    });
  changeOptions(trust.command('change').description('draft the next trust document'))
    .option('--remove <id>', 'key that goes; may be repeated', collect, [])
    .option('--revoke <serial>', 'box certificate that is not good any more; may be repeated', collect, [])
    .action(async (options: TrustOptions) => {
      const chain = await import('../fleet/trust-chain.ts');
      tellDraft(await chain.draftNextTrust(options.dir, await changeOf(options), new Date()));
    });
  withKey(trust.command('sign').description('sign the draft; in force once enough have signed'))
    .addOption(directoryOption())
    .action(async (options: KeyOptions & { dir: string }) => {
      const { signTrust } = await import('../fleet/trust-chain.ts');
      const { document, inForce, signatures } = await signTrust(options.dir, await openKey(options));
      const state = inForce ? 'in force' : 'not yet in force: more have to sign';
      console.log(`Trust document ${document.version}: ${signatures} signed, ${state}.`);
    });
  trust
    .command('show')
    .description('show the trust document in force')
    .addOption(directoryOption())
    .option('--json', 'as JSON')
    .action(async ({ dir, json }: { dir: string; json?: boolean }) => {
      const { requireTrust } = await import('../fleet/trust-chain.ts');
      const { document } = await requireTrust(dir);
      if (json) console.log(JSON.stringify(document, null, 2));
      else console.log(trustText(document));
    });
}

function changeOptions(command: Command): Command {
  return command
    .addOption(directoryOption())
    .option('--key <file=roles>', 'key that comes: FILE.pub=trust,config,…; no roles: all', collect, [])
    .option('--threshold <role=n>', 'how many different keys have to sign; may be repeated', collect, [])
    .option(
      '--device-ca <file>',
      'certificate of the authority for boxes (device-ca.pem), instead of those before; may be repeated',
      collect,
      [],
    );
}

async function changeOf({ key, remove = [], threshold, revoke = [], deviceCa }: TrustOptions) {
  const { roles } = await import('../fleet/trust-chain.ts');
  const isRole = (text: string): text is (typeof roles)[number] => roles.some((role) => role === text);
  const add = [];
  for (const text of key) {
    const [file = '', list] = text.split('=');
    const its = list === undefined ? [...roles] : list.split(',').filter(isRole);
    if (its.length !== (list === undefined ? roles.length : list.split(',').length)) throw badRole(roles);
    add.push({ file: await publicKey(file), roles: its });
  }
  const thresholds: Partial<Record<(typeof roles)[number], number>> = {};
  for (const text of threshold) {
    const [role = '', count = ''] = text.split('=');
    if (!isRole(role) || !/^(?:[1-9]|1[0-6])$/.test(count)) throw badRole(roles);
    thresholds[role] = Number(count);
  }
  const authorities = await Promise.all(deviceCa.map((file) => authorityIn(file)));
  const change = { add, remove, revoke, threshold: thresholds };
  return authorities.length === 0 ? change : { ...change, deviceCa: authorities };
}

function badRole(roles: readonly string[]) {
  const message = 'This is not a role, or not a number from 1 to 16.';
  return usage(
    'USAGE_ROLE',
    message,
    `Roles are ${roles.join(', ')}: --key b.pub=config --threshold config=2.`,
  );
}

function tellDraft(document: TrustDocument): void {
  console.log(`Drafted trust document ${document.version}. Now: gantry fleet trust sign --key FILE`);
}

function trustText(document: TrustDocument): string {
  const keys = Object.entries(document.keys).map(([id, { roles }]) => `  ${id}  ${roles.join(', ')}`);
  const thresholds = Object.entries(document.threshold).map(([role, count]) => `${role} ${count}`);
  return [
    `Fleet ${document.fleet}, trust document ${document.version} of ${document.issuedAt}`,
    'Keys:',
    ...keys,
    `Signatures needed: ${thresholds.join(', ')}`,
    `Authorities for boxes: ${document.deviceCa.length}`,
    `Revoked certificates: ${document.revoked.length === 0 ? 'none' : document.revoked.join(', ')}`,
  ].join('\n');
}

export function withKey(command: Command): Command {
  return command
    .requiredOption('--key <file>', 'private key to sign with')
    .option('--passphrase-file <file>', 'file whose first line is the passphrase of the key');
}

export function directoryOption(): Option {
  return new Option('--dir <dir>', 'git folder of the fleet').default('.');
}

/** The private key that was asked for; its passphrase is asked for where it needs one. */
export async function openKey({ key: file, passphraseFile }: KeyOptions) {
  const { isEncrypted, openKeyFile } = await import('../fleet/key-file.ts');
  const text = await readFile(file, 'utf8');
  return openKeyFile(text, isEncrypted(text) ? await readPassphrase(passphraseFile) : null);
}

/** @throws GantryError USAGE_CA where the file is something else */
async function authorityIn(file: string): Promise<string> {
  const text = await readFile(file, 'utf8');
  const { isAuthority } = await import('../fleet/device-ca.ts');
  if (isAuthority(text)) return text;
  const message = 'The file is not the certificate of an authority.';
  throw usage('USAGE_CA', message, 'Give "device-ca.pem", which "gantry fleet ca init" wrote.');
}

async function publicKey(file: string) {
  const { publicKeyFile } = await import('../fleet/key-file.ts');
  const { readStrictJson } = await import('../config/remote/signed.ts');
  const parsed = publicKeyFile.safeParse(readStrictJson(await readFile(file)));
  if (parsed.success) return parsed.data;
  const message = 'The file is not the public file of a key.';
  throw usage('USAGE_KEY', message, 'Give the file ending in ".pub" that "gantry fleet keys new" made.');
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function parseFleet(text: string): string {
  if (fleetName.safeParse(text).success) return text;
  throw new InvalidArgumentError('Use small letters, digits and "-".');
}

function parseHours(text: string): number {
  const hours = Number(text);
  if (Number.isInteger(hours) && hours >= 1 && hours <= 8760) return hours;
  throw new InvalidArgumentError('Use a whole number from 1 to 8760.');
}
