import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '../../src/base/version.ts';
import { root } from './bundle.ts';
import { type RunTimePackage, runTimePackages } from './run-time-packages.ts';

const rule = '='.repeat(80);
const licenceFile = /^(?:licen[cs]e|copying|notice)/i;

/** Those of Node are the same for every processor; of it, what is installed here can be read. */
const ownArchitecture = process.arch === 'arm64' ? 'arm64' : 'x64';

/** The licences of everything that is inside the executable, as plain text. */
export function makeLicences(): string {
  const engines = readFileSync(join(import.meta.dirname, 'engine-licences.txt'), 'utf8').trim();
  const { packages } = runTimePackages(ownArchitecture);
  return [
    `Gantry ${version} contains the software listed here, each under the licence that follows its name.`,
    ...packages.map(licenceOf),
    engines,
    '',
  ].join(`\n\n${rule}\n`);
}

function licenceOf({ path, name, version: packageVersion, license }: RunTimePackage): string {
  const folder = join(root, path);
  const texts = readdirSync(folder, { withFileTypes: true })
    .filter((file) => file.isFile() && licenceFile.test(file.name))
    .map((file) => file.name)
    .toSorted()
    .map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim());
  if (texts.length === 0) texts.push(statedLicence(folder, license));
  const known = name.startsWith('node-linux-') ? 'Node.js' : name;
  return [`${known} ${packageVersion} (${license ?? 'see the text'})`, ...texts].join('\n\n');
}

/** For a package that comes without the text: what it says of itself. */
function statedLicence(folder: string, license: string | null): string {
  const { author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    author?: string | { name?: string };
  };
  const name = typeof author === 'string' ? author : author?.name;
  const by = name === undefined || name === '' ? '' : `, by ${name}`;
  return `The package states the licence ${license ?? 'nowhere'}${by}, and comes without its text.`;
}
