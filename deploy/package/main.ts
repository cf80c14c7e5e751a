import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Architecture, architectures } from './base-node.ts';
import { bundleContents, root } from './bundle.ts';
import { makeExecutable } from './executable.ts';
import { makeLicences } from './licences.ts';
import { makeSbom } from './sbom.ts';

/* `npm run package`: the executables and what is published with them, in dist/. */

const usage = `npm run package -- [options] [x64|arm64 …]
  --output dist   folder for the files; both architectures where none is given`;

const { values, positionals } = parseArgs({
  options: {
    output: { type: 'string', default: join(root, 'dist') },
    help: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});

function isArchitecture(word: string): word is Architecture {
  return (architectures as readonly string[]).includes(word);
}

const licencesName = 'THIRD-PARTY-LICENCES';

async function packageAll(folder: string, wanted: readonly Architecture[]): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const { main, assets } = await bundleContents();
  const licences = makeLicences();
  const files = [join(folder, licencesName)];
  writeFileSync(join(folder, licencesName), licences);
  for (const architecture of wanted) {
    const name = `gantry-linux-${architecture}`;
    const sbomName = `${name}.cdx.json`;
    const sbom = makeSbom(architecture);
    const inside = new Map(assets)
      .set(`dist/${licencesName}`, Buffer.from(licences))
      .set(`dist/${sbomName}`, Buffer.from(sbom));
    const file = join(folder, name);
    await makeExecutable(architecture, { main, assets: inside }, file);
    chmodSync(file, 0o755);
    writeFileSync(join(folder, sbomName), sbom);
    files.push(file, join(folder, sbomName));
    console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB`);
  }
  writeFileSync(join(folder, 'SHA256SUMS'), files.map(checksumLine).join(''));
}

/** As `sha256sum --check` reads it. */
function checksumLine(file: string): string {
  return `${createHash('sha256').update(readFileSync(file)).digest('hex')}  ${basename(file)}\n`;
}

const unknown = positionals.filter((word) => !isArchitecture(word));
if (values.help || unknown.length > 0) {
  console.log(usage);
  process.exitCode = values.help ? 0 : 2;
} else {
  const wanted = positionals.filter(isArchitecture);
  await packageAll(resolve(values.output), wanted.length > 0 ? wanted : architectures);
}
