import { writeFileSync } from 'node:fs';
import { fleetSchemaText } from './documents-schema.ts';

writeFileSync(new URL('../../deploy/gantry-fleet.schema.json', import.meta.url), fleetSchemaText());
