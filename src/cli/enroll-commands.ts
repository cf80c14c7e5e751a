import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { GantryError } from '../base/errors.ts';
import { createLog } from '../base/log.ts';
import type { EnrolTools } from '../web/control-enrol.ts';
import { ControlClient } from './control-client.ts';
import { dataOption } from './data-option.ts';
import { daysOption, openAuthority, withAuthority } from './fleet-certificates.ts';
import { directoryOption } from './fleet-custody.ts';

/** `enroll …`, on the box, whether its gateway runs, is stopped, or was never started. Both files may travel by USB. */
export function addEnrollCommands(program: Command): void {
  const enroll = program.command('enroll').description('let this box belong to a fleet');
  enroll
    .command('request')
    .argument('<file>', 'where the request goes; it must not exist yet')
    .description('write a request for central IT, and show its claim code, once')
    .addOption(dataOption())
    .action(async (file: string, { data }: { data: string }) => {
      const made = await onBox(data, (tools) => tools.request());
      await writeFile(file, made.file, { flag: 'wx' });
      console.log(`Box: ${made.device}\nClaim code: ${made.code}`);
      console.log('Bring the file to central IT; tell the code another way, such as by phone.');
    });
  enroll
    .command('accept')
    .argument('<file>', 'the answer of central IT')
    .description('believe the answer to the request')
    .addOption(dataOption())
    .action(async (file: string, { data }: { data: string }) => {
      const answer = await readFile(file, 'utf8');
      const { fleet, hasWay } = await onBox(data, (tools) => tools.accept(answer));
      console.log(`Fleet: ${fleet}`);
      if (hasWay === false)
        console.log(
          'This box has no way to central IT yet: name one in "remote" of its configuration ("gantry config apply FILE").',
        );
    });
}

/** The running gateway does it; where none runs, this process does. */
async function onBox<T>(data: string, work: (tools: EnrolTools) => Promise<T>): Promise<T> {
  await using control = new ControlClient(join(data, 'control.sock'));
  try {
    return await work({
      request: () => control.enrolRequest(),
      accept: (answer) => control.enrolAccept(answer),
    });
  } catch (error) {
    if (!(error instanceof GantryError) || error.code !== 'CONTROL_NOT_RUNNING') throw error;
  }
  const { withStoppedBox } = await import('../gateway-enrol.ts');
  return withStoppedBox(resolve(data), createLog('error', process.stderr), work);
}

interface FleetEnrollOptions {
  readonly code: string;
  readonly dir: string;
  readonly ca?: string;
  readonly caPassphraseFile?: string;
  readonly days: number;
}

/** `fleet enroll`, at central IT. */
export function addFleetEnrollCommand(fleet: Command): void {
  const command = fleet
    .command('enroll')
    .argument('<request>', 'file that "gantry enroll request" wrote')
    .argument('<answer>', 'where the answer for the box goes')
    .description('take a box into the fleet: writes its Device file and an answer for it')
    .requiredOption('--code <code>', 'claim code that the box showed')
    .addOption(directoryOption());
  withAuthority(command, false)
    .addOption(daysOption())
    .action(async (request: string, answer: string, options: FleetEnrollOptions) => {
      const { enrollBox } = await import('../fleet/enroll.ts');
      const { dir, code, days } = options;
      const authority = await openAuthority(options);
      const made = await enrollBox(dir, { request: await readFile(request), code }, authority, {
        days,
        now: new Date(),
      });
      await writeFile(answer, made.answer);
      console.log(`Box: ${made.device}`);
      console.log(
        made.certificate === null
          ? 'Certificate: none (--ca gives it one).'
          : `Certificate until: ${made.certificate.notAfter}`,
      );
    });
}
