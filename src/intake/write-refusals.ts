import { writeFileSync } from 'node:fs';
import { refusalsFileText } from './refusals-file.ts';

const target = new URL('../../deploy/refusals.md', import.meta.url);
writeFileSync(target, refusalsFileText());
process.stdout.write('wrote deploy/refusals.md\n');
