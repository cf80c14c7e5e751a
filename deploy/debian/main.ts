import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { buildPackage, root } from './build.ts';

/* `npm run package:deb`: the Debian package of the executable that `npm run package` has made. */

const { values } = parseArgs({
  options: {
    executable: { type: 'string', default: join(root, 'dist', 'gantry-linux-x64') },
    architecture: { type: 'string', default: 'amd64' },
    output: { type: 'string', default: join(root, 'dist') },
    version: { type: 'string' },
  },
});

const path = buildPackage(values);
process.stdout.write(`Written: ${path}\n`);
