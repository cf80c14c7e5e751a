import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seedInputs } from './seeds.ts';

/* `node test/fault/fuzz/make-seeds.ts` writes the committed seeds anew. */

const folder = join(import.meta.dirname, 'seeds');
rmSync(folder, { recursive: true, force: true });
for (const [target, inputs] of Object.entries(seedInputs())) {
  mkdirSync(join(folder, target), { recursive: true });
  for (const [name, bytes] of Object.entries(inputs))
    writeFileSync(join(folder, target, `${name}.bin`), bytes);
}
