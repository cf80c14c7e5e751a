import { writeFileSync } from 'node:fs';
import { schemaFileText } from './schema-file.ts';

const target = new URL('../../deploy/gantry.schema.json', import.meta.url);
writeFileSync(target, schemaFileText());
console.log('wrote deploy/gantry.schema.json');
