import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildPackage, root } from './build.ts';

/* `npm run package:deb`: the Debian packages of the executables that `npm run package` has made. */

const { values } = parseArgs({
  options: {
    output: { type: 'string', default: join(root, 'dist') },
    version: { type: 'string' },
  },
});

const architectures = { x64: 'amd64', arm64: 'arm64' } as const;
const found = Object.entries(architectures)
  .map(([name, architecture]) => ({ executable: join(root, 'dist', `gantry-linux-${name}`), architecture }))
  .filter(({ executable }) => existsSync(executable));
if (found.length === 0) throw new Error('There is no executable in dist/: "npm run package" makes them.');
for (const one of found) process.stdout.write(`Written: ${buildPackage({ ...one, ...values })}\n`);
