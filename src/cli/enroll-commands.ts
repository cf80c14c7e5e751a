import { readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { createLog } from '../base/log.ts';
import { dataOption } from './data-option.ts';
import { directoryOption } from './fleet-custody.ts';

/** `enroll …`, on the box; its gateway is not running meanwhile. Both files may travel by USB. */
export function addEnrollCommands(program: Command): void {
  const enroll = program.command('enroll').description('let this box belong to a fleet');
  enroll
    .command('request')
    .argument('<file>', 'where the request goes; it must not exist yet')
    .description('write a request for central IT, and show its claim code, once')
    .addOption(dataOption())
    .action(async (file: string, { data }: { data: string }) => {
      const { requestEnrolment } = await import('../gateway-enrol.ts');
      const made = await requestEnrolment(data, createLog('error', process.stderr));
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
      const { acceptEnrolment } = await import('../gateway-enrol.ts');
      console.log(
        `Fleet: ${await acceptEnrolment(data, await readFile(file), createLog('error', process.stderr))}`,
      );
    });
}

/** `fleet enroll`, at central IT. */
export function addFleetEnrollCommand(fleet: Command): void {
  fleet
    .command('enroll')
    .argument('<request>', 'file that "gantry enroll request" wrote')
    .argument('<answer>', 'where the answer for the box goes')
    .description('take a box into the fleet: writes its Device file and an answer for it')
    .requiredOption('--code <code>', 'claim code that the box showed')
    .addOption(directoryOption())
    .action(async (request: string, answer: string, { code, dir }: { code: string; dir: string }) => {
      const { enrollBox } = await import('../fleet/enroll.ts');
      const made = await enrollBox(dir, await readFile(request), code);
      await writeFile(answer, made.answer);
      console.log(`Box: ${made.device}`);
    });
}
