import { spawnSync } from 'node:child_process';
import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { nodeDisk } from '../../src/base/disk.ts';
import type { Spool } from '../../src/spool/spool.ts';
import { openSpool } from '../fixtures/open-spool.ts';
import { FaultyDisk } from './faulty-disk.ts';
import { attemptAll, codec, nameOf, startPreparing } from './preparing.ts';
import { powerCut } from './volumes.ts';

/*
 * A process that compresses what waits in a data directory and reads it for sending, and ends just before the n-th
 * call to the disk: killed, or with the power cut under it. Says what it sent.
 */

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '' },
    instances: { type: 'string', default: '1' },
    /** 0: it does not end early. */
    'end-before': { type: 'string', default: '0' },
    /** Where the volume is mounted whose power is cut. */
    cut: { type: 'string' },
  },
});

/** At once, and whole: what comes after the end says nothing. */
function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

function end(): void {
  if (values.cut !== undefined) spawnSync(...powerCut(values.cut));
  process.kill(process.pid, 'SIGKILL');
}

async function sendAll(spool: Spool): Promise<void> {
  for (const attempt of await attemptAll(spool)) say({ sent: nameOf(attempt) });
}

const disk = new FaultyDisk(nodeDisk);
const { spool, stop } = await openSpool(values.data, { disk, codec });
const endBefore = Number(values['end-before']);
disk.watch((call) => {
  if (call === endBefore) end();
});
{
  await using preparing = startPreparing(spool);
  for (let n = 0; n < Number(values.instances); n += 1) {
    await preparing.settled();
    await sendAll(spool);
  }
}
const { calls } = disk;
disk.failAt(null);
await stop();
say({ calls });
