import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { usage } from './arguments.ts';
import { exitCodes } from './exit-codes.ts';
import { directoryOption } from './fleet-custody.ts';
import { print } from './fleet-desk.ts';
import { readPassphrase } from './passphrase.ts';

interface AuthorityOptions {
  readonly dir: string;
  /** File with the private key of the authority. */
  readonly ca?: string;
  readonly caPassphraseFile?: string;
}

/** `fleet ca …`: the authority that issues the certificates of boxes. */
export function addCertificateCommands(fleet: Command): void {
  const ca = fleet.command('ca').description('the authority that issues the certificates of boxes');
  ca.command('init')
    .argument('<file>', 'where its private key goes; its certificate goes into the folder')
    .description('make it; its key is encrypted with a passphrase that is asked for')
    .addOption(directoryOption())
    .option('--passphrase-file <file>', 'file whose first line is the passphrase')
    .option('--no-passphrase', 'leave the key in clear, for one that a program uses with nobody there')
    .action(initCa);
  ca.command('show')
    .description('show its certificate, whether boxes believe it, and what it has issued')
    .addOption(directoryOption())
    .option('--json', 'as JSON')
    .action(showCa);

  const certificates = fleet.command('certificates').description('certificates of boxes and of central IT');
  const renew = certificates
    .command('renew')
    .argument('<reports...>', 'folders that "gantry fleet collect" wrote')
    .description('issue what boxes ask for in their reports; may run from cron')
    .requiredOption('--out <out>', 'folder of rendered documents, to be published')
    .addOption(directoryOption())
    .addOption(daysOption())
    .option('--json', 'as JSON');
  withAuthority(renew, true).action(renewAll);
  const issue = certificates
    .command('issue')
    .argument('<name>', 'its common name, such as "central-it"', parseProgramName)
    .argument('<file>', 'where the certificate goes; its key goes to FILE.key')
    .description('make a key and a certificate for a program of central IT')
    .addOption(directoryOption())
    .addOption(daysOption());
  withAuthority(issue, true).action(issueOne);
  const crl = certificates
    .command('crl')
    .argument('[file]', 'a copy for a web server or broker')
    .description('sign the list of revoked certificates anew')
    .addOption(directoryOption());
  withAuthority(crl, true).action(async (file: string | undefined, options: WithAuthority) => {
    const { CertificateRecord } = await import('../fleet/certificate-record.ts');
    const record = new CertificateRecord(options.dir);
    const { count, pem } = await record.writeRevocations(await requireAuthority(options), new Date());
    if (file !== undefined) await writeCopy(file, pem);
    console.log(`Revoked: ${count}`);
  });
}

export interface WithAuthority extends AuthorityOptions {
  readonly ca: string;
}

interface RenewArguments extends WithAuthority {
  readonly out: string;
  readonly days: number;
  readonly json?: boolean;
}

async function renewAll(paths: readonly string[], options: RenewArguments): Promise<void> {
  const [{ readReports }, { renewCertificates }] = await Promise.all([
    import('../fleet/reports.ts'),
    import('../fleet/renew-certificates.ts'),
  ]);
  const { dir: directory, out, days, json } = options;
  const authority = await requireAuthority(options);
  const { reports } = await readReports(paths);
  const done = await renewCertificates(reports, { directory, out, authority, days, now: new Date() });
  if (json) print(done);
  else {
    console.log(`${done.issued.length} certificates issued, ${done.known.length} issued before.`);
    for (const { device, why } of done.refused) console.error(`${device}: gets none; it ${why}.`);
  }
  if (done.refused.length > 0) process.exitCode = exitCodes.failed;
}

async function issueOne(
  name: string,
  file: string,
  options: WithAuthority & { days: number },
): Promise<void> {
  const { issueToProgram } = await import('../fleet/renew-certificates.ts');
  const { writeNewFile } = await import('../fleet/files.ts');
  const { dir: directory, days } = options;
  const authority = await requireAuthority(options);
  const made = await issueToProgram(name, { directory, authority, days, now: new Date() });
  await writeNewFile(`${file}.key`, made.key, 0o600);
  await writeNewFile(file, made.cert, 0o644);
  console.log(`Certificate until: ${made.notAfter}`);
}

/** Replaces a copy of the list of revoked certificates as a whole. */
export async function writeCopy(file: string, text: string): Promise<void> {
  await (await import('../fleet/record.ts')).replaceDurably(file, text);
}

export async function requireAuthority(options: WithAuthority) {
  const authority = await openAuthority(options);
  if (authority !== null) return authority;
  throw usage('USAGE_CA', 'It is not said with which key.', 'Give --ca FILE.');
}

function parseProgramName(text: string): string {
  if (/^[a-z][a-z0-9.-]{1,62}$/.test(text)) return text;
  throw new InvalidArgumentError('Use small letters, digits, "." and "-", beginning with a letter.');
}

async function initCa(
  file: string,
  { dir, ...options }: { dir: string; passphraseFile?: string; passphrase: boolean },
): Promise<void> {
  const [{ initAuthority }, { encryptWithPassphrase }, { writeNewFile }] = await Promise.all([
    import('../fleet/device-ca.ts'),
    import('../fleet/key-file.ts'),
    import('../fleet/files.ts'),
  ]);
  const { readFleetFolder } = await import('../fleet/fleet-folder.ts');
  const { fleet } = await readFleetFolder(dir);
  if (fleet === null)
    throw usage('FLEET_UNNAMED', 'The folder does not say how the fleet is called.', 'Write "fleet.yaml".');
  const passphrase = options.passphrase ? await readPassphrase(options.passphraseFile) : null;
  if (passphrase !== null && passphrase.length < 10) {
    const message = 'The passphrase has fewer than 10 characters.';
    throw usage('USAGE_PASSPHRASE', message, 'Use a few words that only you would put together.');
  }
  // First: a key that cannot be kept is not to leave its certificate behind.
  await writeNewFile(file, '', 0o600);
  const { writeFile } = await import('node:fs/promises');
  const key = await initAuthority(dir, fleet.value.name, new Date());
  await writeFile(file, passphrase === null ? key : await encryptWithPassphrase(key, passphrase), {
    flush: true,
  });
  console.log('Made "device-ca.pem". Boxes believe it once the trust document names it:');
  console.log('gantry fleet trust change --device-ca device-ca.pem (or trust init), then trust sign.');
}

async function showCa({ dir, json }: { dir: string; json?: boolean }): Promise<void> {
  const { authorityFacts } = await import('../fleet/authority-facts.ts');
  const facts = await authorityFacts(dir, new Date());
  if (json) {
    print(facts);
    return;
  }
  const { subject, sha256, notAfter, inTrust, issued, valid, revoked } = facts;
  console.log(`${subject}\nSHA-256: ${sha256}\nUntil: ${notAfter}`);
  console.log(
    inTrust
      ? 'The trust document names it.'
      : 'The trust document does not name it: no box takes its certificates. gantry fleet trust change --device-ca device-ca.pem',
  );
  console.log(`Issued: ${issued}, of which ${valid} are good and ${revoked} revoked.`);
}

export function withAuthority(command: Command, required: boolean): Command {
  const ca = new Option('--ca <file>', 'private key of the authority that issues certificates');
  return command
    .addOption(required ? ca.makeOptionMandatory() : ca)
    .option('--ca-passphrase-file <file>', 'file whose first line is the passphrase of that key');
}

export function daysOption(): Option {
  return new Option('--days <n>', 'how long a certificate is good for: 1 to 825')
    .default(365)
    .argParser(parseLife);
}

/** The authority that was asked for, or null; the passphrase of its key is asked for where it needs one. */
export async function openAuthority({ dir, ca, caPassphraseFile }: AuthorityOptions) {
  if (ca === undefined) return null;
  const { isEncrypted } = await import('../fleet/key-file.ts');
  const text = await readFile(ca, 'utf8');
  const passphrase = isEncrypted(text) ? await readPassphrase(caPassphraseFile) : null;
  return (await import('../fleet/device-ca.ts')).openAuthority(dir, text, passphrase);
}

function parseLife(text: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= 825) return days;
  throw new InvalidArgumentError('Use a whole number from 1 to 825.');
}
