import { writeFileSync } from 'node:fs';
import { statementText } from './statement.ts';

const target = new URL('../conformance-statement.md', import.meta.url);
writeFileSync(target, statementText());
console.log('wrote deploy/conformance-statement.md');
