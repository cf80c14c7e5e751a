import { benchCodec } from './codec.ts';
import { benchFleet } from './fleet.ts';
import { benchIdle } from './idle.ts';
import { benchIntake } from './intake.ts';
import { benchLanStudy } from './lan-study.ts';
import { benchLarge } from './large.ts';
import { benchPdu } from './pdu.ts';
import { benchPoison } from './poison.ts';
import { benchQueue } from './queue.ts';
import { benchWan } from './wan.ts';

const benches: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  codec: benchCodec,
  fleet: benchFleet,
  idle: benchIdle,
  intake: benchIntake,
  'lan-study': benchLanStudy,
  large: benchLarge,
  pdu: benchPdu,
  poison: benchPoison,
  queue: benchQueue,
  wan: benchWan,
};

const [name = '', ...args] = process.argv.slice(2);
const bench = benches[name];
if (bench === undefined) {
  console.log(`npm run bench -- NAME [--help], where NAME is one of: ${Object.keys(benches).join(', ')}`);
  process.exitCode = name === '' ? 0 : 2;
} else {
  await bench(args);
}
