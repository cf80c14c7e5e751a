import type { Command } from 'commander';
import type { CentralSignIn } from '../fleet/central-line.ts';
import type { Destination, Published } from '../fleet/publish.ts';
import { usage } from './arguments.ts';
import { exitCodes } from './exit-codes.ts';

interface SignInArguments {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly proxy?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly json?: boolean;
}

export interface PublishArguments extends SignInArguments {
  readonly device?: string;
  readonly to?: string;
  readonly usb?: string;
}

interface CollectArguments extends SignInArguments {
  readonly from: string;
  readonly out: string;
}

interface CheckArguments extends SignInArguments {
  readonly boxes: number;
  readonly bytes: number;
}

/** How signed documents reach boxes, and their reports central IT: a web server, a broker, sticks. */
export function addChannelCommands(fleet: Command): void {
  const publishing = (name: 'publish' | 'sync', about: string) =>
    withSignIn(fleet.command(name).description(about))
      .argument('<out>', 'folder of signed documents')
      .option('--to <address>', 'folder, https:// address (PUT), or broker: wss:// or mqtts://')
      .option('--usb <dir>', 'folder where a stick is mounted')
      .option('--device <id>', 'for this box alone: quick, and no other box has to wait for it')
      .action((out: string, given: PublishArguments) => tellPublished(out, given, name === 'sync'));
  publishing('publish', 'give what has changed to a web server, a broker or a stick; signs nothing');
  publishing('sync', 'give all of it once more, e.g. to a broker that has lost what it kept');

  withSignIn(
    fleet.command('collect').description('fetch the reports of all boxes, and believe what they signed'),
  )
    .argument('<dir>', 'the git folder, for the keys of the boxes')
    .requiredOption('--from <address>', 'folder or stick, https:// address, or broker: wss:// or mqtts://')
    .requiredOption('--out <reports>', 'folder for DEVICE.json')
    .action(tellCollected);

  const broker = fleet.command('broker').description('about the MQTT broker of a fleet');
  withSignIn(broker.command('check').description('prove that a broker can keep and give back a whole fleet'))
    .argument('<url>', 'wss:// or mqtts:// address')
    .option('--boxes <n>', 'so many', parseCount, 20_000)
    .option('--bytes <n>', 'size of each document', parseCount, 1024)
    .action(tellBrokerCheck);
}

/** @param keyOption what the key of the client certificate is called */
export function withSignIn(command: Command, keyOption = '--key'): Command {
  return command
    .option('--ca <file>', 'PEM file of authorities to trust as well')
    .option('--cert <file>', 'PEM file with a client certificate')
    .option(`${keyOption} <file>`, 'PEM file with its key')
    .option('--proxy <url>', 'HTTP proxy')
    .option('--user <name>', 'user at the broker')
    .option('--password-file <file>', 'file with the password')
    .option('--json', 'as JSON');
}

function signInOf({ ca, cert, key, proxy, user, passwordFile }: SignInArguments): CentralSignIn {
  if ((cert === undefined) !== (key === undefined))
    throw usage('USAGE_CERTIFICATE', 'Only one of --cert and --key is given.', 'Give both, or neither.');
  return { caFile: ca, certFile: cert, keyFile: key, proxy, user, passwordFile };
}

const countMax = 1_000_000;

/** @throws GantryError USAGE_COUNT */
function parseCount(text: string): number {
  const count = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= countMax) return count;
  throw usage('USAGE_COUNT', `The number is not one from 1 to ${countMax}.`, 'Give e.g. --boxes 20000.');
}

/** @throws GantryError USAGE_ADDRESS */
function placeOf(text: string, given: SignInArguments): Destination {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase() ?? null;
  if (scheme === null) return { kind: 'folder', folder: text };
  const url = URL.parse(text);
  const loopback = url !== null && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
  const signIn = signInOf(given);
  if (scheme === 'https' || (scheme === 'http' && loopback)) return { kind: 'https', url: text, signIn };
  if (/^(?:wss|mqtts)$/.test(scheme) || (/^(?:ws|mqtt)$/.test(scheme) && loopback))
    return { kind: 'mqtt', url: text, signIn };
  throw usage(
    'USAGE_ADDRESS',
    'The address is neither a folder nor one over TLS that is known here.',
    'Give a folder, "https://…", "wss://…" or "mqtts://…"; unencrypted ones only on this machine.',
  );
}

/** @throws GantryError USAGE_PUBLISH, USAGE_ADDRESS, and as `publish` does */
export async function publishTo(out: string, given: PublishArguments, all: boolean): Promise<Published> {
  const { to, usb, device } = given;
  if ((to === undefined) === (usb === undefined))
    throw usage('USAGE_PUBLISH', 'Where it goes is not said, or twice.', 'Give either --to or --usb.');
  const place: Destination = usb === undefined ? placeOf(to ?? '', given) : { kind: 'stick', folder: usb };
  const { publish } = await import('../fleet/publish.ts');
  return publish(out, place, { all, device });
}

async function tellPublished(out: string, given: PublishArguments, all: boolean): Promise<void> {
  const done = await publishTo(out, given, all);
  if (given.json === true) console.log(JSON.stringify(done));
  else
    console.log(
      `${done.boxes} boxes: ${done.written} documents written, ${done.unchanged} were there already` +
        `${done.removed === 0 ? '' : `, ${done.removed} of boxes that have left taken away`}.`,
    );
  if (done.left === 0) return;
  console.error(
    `${done.left} documents of boxes that have left cannot be taken away there: the server refuses it. Delete them by hand.`,
  );
  process.exitCode = exitCodes.failed;
}

async function tellCollected(directory: string, given: CollectArguments): Promise<void> {
  const place = placeOf(given.from, given);
  const { readFleetFolder } = await import('../fleet/fleet-folder.ts');
  const folder = await readFleetFolder(directory);
  const { fleet, devices } = folder;
  if (fleet === null)
    throw usage('FLEET_UNNAMED', 'The folder does not say how the fleet is called.', 'Write "fleet.yaml".');
  const keys = new Map(
    [...devices.values()].flatMap(({ value: { id, keys: own, retired } }) =>
      own === undefined || retired ? [] : [[id, own.sign] as const],
    ),
  );
  const { collect } = await import('../fleet/collect.ts');
  const done = await collect({ fleet: fleet.value.name, keys, from: place, reports: given.out });
  const { readReports } = await import('../fleet/reports.ts');
  const { followSchemaVersions } = await import('../fleet/schema-versions.ts');
  const { reports } = done.newer + done.known === 0 ? { reports: new Map() } : await readReports([given.out]);
  const updated = await followSchemaVersions(folder, reports);
  if (given.json === true) console.log(JSON.stringify({ ...done, schemaVersions: updated }));
  else {
    if (updated.length > 0)
      console.log(`${updated.length} Device files follow the version of the settings that their boxes know.`);
    console.log(
      `${keys.size} boxes: ${done.newer} new reports, ${done.known} known, ${done.withoutReport} without one.`,
    );
    for (const { device, why } of done.refused) console.error(`${device}: refused; what is there ${why}.`);
  }
  if (done.refused.length > 0) process.exitCode = exitCodes.failed;
}

async function tellBrokerCheck(url: string, given: CheckArguments): Promise<void> {
  const place = placeOf(url, given);
  if (place.kind !== 'mqtt')
    throw usage('USAGE_ADDRESS', 'That is no address of a broker.', 'Give "wss://…" or "mqtts://…".');
  const { checkBroker } = await import('../fleet/broker-check.ts');
  const { boxes, bytes } = given;
  const found = await checkBroker({ url, signIn: place.signIn, boxes, bytes });
  const ok = found.intact === boxes;
  if (given.json === true) console.log(JSON.stringify({ ok, ...found }));
  else {
    const seconds = (value: number) => `${value.toFixed(1)} s`;
    console.log(
      `${found.written} documents of ${bytes} bytes written in ${seconds(found.writeSeconds)}, ` +
        `${found.intact} read back in ${seconds(found.readSeconds)}; all removed again.`,
    );
    if (!ok)
      console.error(
        `FLEET_BROKER_CAP: this broker gives back only ${found.intact} of ${boxes}, and says nothing of the rest.\n` +
          'Raise its limits (mosquitto: "max_queued_messages 0"; see deploy/fleet/mosquitto.conf).',
      );
  }
  if (!ok) process.exitCode = exitCodes.failed;
}
