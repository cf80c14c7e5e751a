import { type Command, InvalidArgumentError } from 'commander';
import type { FleetCommand } from '../config/remote/documents.ts';
import { entryName } from '../config/values.ts';
import type { CommandState } from '../fleet/commands.ts';
import { publishTo, type PublishArguments, withSignIn } from './fleet-channels.ts';
import { directoryOption, type KeyOptions, openKey, withKey } from './fleet-custody.ts';
import { print } from './fleet-desk.ts';
import { plainTable } from './words.ts';

interface OrderOptions extends KeyOptions, Omit<PublishArguments, 'key'> {
  readonly dir: string;
  readonly out: string;
  readonly valid: number;
  readonly certKey?: string;
  readonly modality?: string;
  readonly destination?: string;
}

/** `fleet command …`: what a box does now, where its configuration lets central IT say so. */
export function addCommandCommands(fleet: Command): void {
  const command = fleet.command('command').description('have boxes do something now, signed and once');
  const verb = (name: FleetCommand['verb'], about: string) =>
    withOrder(command.command(name).description(about).argument('<device...>'));
  verb('echo', 'test a modality of a box (C-ECHO)')
    .requiredOption('--modality <name>', 'its name in the configuration of the box', parseName)
    .action((devices: string[], options: OrderOptions) =>
      order('echo', devices, options.modality ?? null, options),
    );
  verb('retry', 'send again what waits')
    .option('--destination <name>', 'only to this one', parseName)
    .action((devices: string[], options: OrderOptions) =>
      order('retry', devices, options.destination ?? null, options),
    );
  verb('support-bundle', 'make a support bundle; it stays on the box').action(
    (devices: string[], options: OrderOptions) => order('support-bundle', devices, null, options),
  );
  withKey(
    command
      .command('sign')
      .description('add a signature to commands, where more than one key has to sign')
      .argument('<out>', 'folder of signed documents'),
  ).action(async (out: string, options: KeyOptions) => {
    const { signCommands } = await import('../fleet/commands.ts');
    console.log(`Signed: ${await signCommands(out, await openKey(options), new Date())}`);
  });
  command
    .command('show')
    .description('what boxes answered to their newest command')
    .argument('<reports...>', 'folders that "gantry fleet collect" wrote')
    .requiredOption('--out <out>', 'folder of signed documents')
    .option('--json', 'as JSON')
    .action(show);
}

function withOrder(command: Command): Command {
  const keyed = withKey(command)
    .addOption(directoryOption())
    .requiredOption('--out <out>', 'folder of signed documents')
    .option('--valid <minutes>', 'how long it may be carried out: 1 to 1440', parseMinutes, 60)
    .option('--to <address>', 'publish at once: folder, https:// address (PUT), or broker')
    .option('--usb <dir>', 'publish at once to the folder where a stick is mounted');
  return withSignIn(keyed, '--cert-key');
}

async function order(
  verb: FleetCommand['verb'],
  devices: readonly string[],
  target: string | null,
  options: OrderOptions,
): Promise<void> {
  const { orderCommands } = await import('../fleet/commands.ts');
  const { dir: directory, out, valid: validMinutes, to, usb, json } = options;
  const key = await openKey(options);
  const about = { directory, out, devices, verb, target, key, validMinutes, now: new Date() };
  const { commands, signaturesMissing } = await orderCommands(about);
  const isPublished = signaturesMissing === 0 && (to !== undefined || usb !== undefined);
  const { key: _, certKey, ...rest } = options;
  const sent = isPublished
    ? await publishTo(out, { ...rest, ...(certKey === undefined ? {} : { key: certKey }) }, false)
    : null;
  if (json) {
    print({
      commands: commands.map(({ device, id }) => ({ device, id })),
      signaturesMissing,
      published: sent,
    });
    return;
  }
  for (const { device, id } of commands) console.log(`${device}: ${id}`);
  if (signaturesMissing > 0)
    console.log(`${signaturesMissing} more have to sign: gantry fleet command sign ${out} --key FILE`);
  else if (!isPublished) console.log(`Next: gantry fleet publish ${out} --to …`);
  else console.log('Published. The answers: gantry fleet collect, then gantry fleet command show.');
}

async function show(paths: readonly string[], { out, json }: { out: string; json?: boolean }): Promise<void> {
  const [{ readReports }, { commandStates }] = await Promise.all([
    import('../fleet/reports.ts'),
    import('../fleet/commands.ts'),
  ]);
  const { reports } = await readReports(paths);
  const states = await commandStates(out, reports, new Date());
  if (json) {
    print({ commands: states });
    return;
  }
  const table = await plainTable(['box', 'command', 'given', 'state', 'answer']);
  for (const { device, verb, target, issuedAt, state, code, text } of states)
    table.push([
      device,
      target === null ? verb : `${verb} ${target}`,
      issuedAt.slice(0, 16),
      state,
      answerWords(state, code, text),
    ]);
  console.log(states.length === 0 ? 'No command was given.' : table.toString());
}

function answerWords(state: CommandState['state'], code: string | null, text: string | null): string {
  if (state === 'waiting') return 'not reported yet';
  if (state === 'expired') return 'no answer was reported in time';
  return code === null ? (text ?? '') : `${text ?? ''} (${code})`;
}

function parseName(text: string): string {
  if (entryName.safeParse(text).success) return text;
  throw new InvalidArgumentError('Use the name as it stands in the configuration of the box.');
}

function parseMinutes(text: string): number {
  const minutes = Number(text);
  if (Number.isInteger(minutes) && minutes >= 1 && minutes <= 1440) return minutes;
  throw new InvalidArgumentError('Use a whole number from 1 to 1440.');
}
