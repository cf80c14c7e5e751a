import type { Command } from 'commander';
import { GantryError } from '../base/errors.ts';
import { readOwnFile } from '../base/own-files.ts';
import { exitCodes } from './exit-codes.ts';

/** What the executable is made of. In a checkout the two are where `npm run package` puts them. */
export function addPaperCommands(program: Command): void {
  program
    .command('licences')
    .description('print the licences of all software inside this program')
    .action(() => print(new URL('../../dist/THIRD-PARTY-LICENCES', import.meta.url)));
  program
    .command('sbom')
    .description('print the bill of materials of this program (CycloneDX 1.6, JSON)')
    .action(() => print(new URL(`../../dist/gantry-linux-${process.arch}.cdx.json`, import.meta.url)));
}

function print(file: URL): void {
  const text = readOwnFile(file);
  if (text !== null) {
    // Who pages through it may have seen enough.
    process.stdout.once('error', () => process.exit(exitCodes.ok));
    process.stdout.write(text);
    return;
  }
  throw new GantryError({
    code: 'NOT_PACKAGED',
    kind: 'permanent',
    message: 'This is a checkout; what it is made of is written down when the executable is made.',
    nextStep: 'Run `npm run package` and ask again.',
  });
}
