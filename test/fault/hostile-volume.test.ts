import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { IntakeListener } from '../../src/intake/listener.ts';
import { intakeOptions } from '../intake/intake-harness.ts';
import { type RecordedObject, RecorderSpool } from '../intake/recorder-spool.ts';
import { campaign, say } from './campaign.ts';
import { crowd, type CrowdOptions, replay } from './hostile/crowd.ts';
import { memoryLine, peerAddress, serverOf } from './hostile/lines.ts';
import { canary } from './hostile/wire.ts';
import type { WireMessage } from './hostile/witness.ts';
import { sha256 } from './oracle.ts';

/*
 * The same hostile sessions as in hostile-peers.test.ts in far greater number: without a network, without a disk.
 * `GANTRY_HOSTILE_SESSIONS`, `GANTRY_SEED` and `GANTRY_HOSTILE_ONLY` as there.
 */

const plan = campaign('hostile volume', 'GANTRY_HOSTILE_SESSIONS', 100_000);
const only = process.env['GANTRY_HOSTILE_ONLY'];
const sessions = plan.rounds - Math.ceil(plan.rounds / 5);
/** Streams without a network run a session to its end within a turn of the event loop: so many share one. */
const peers = 32;

const many = { associationsMax: 1000, associationsPerPeerMax: 1000 };
const limits = { ...many, idleConnectionsMax: 1000, idleConnectionsPerPeerMax: 1000 };
const timers = { associateMs: 1000, acseMs: 1000, idleMs: 1000, rateWindowMs: 1000 };

/** A spool that forgets contents once it knows which they were. */
class ForgetfulSpool extends RecorderSpool {
  readonly kept = new Set<string>();
  begun = 0;
  ended = 0;

  /** Reads what has ended since the last time. */
  settle(): void {
    for (const object of this.objects) {
      if (object.state === 'committed') this.kept.add(nameOf(object.facts.SOPInstanceUID, object.chunks));
    }
    const open = this.objects.filter(({ state }) => state === 'incoming');
    this.begun += this.objects.length - open.length;
    this.objects.splice(0, this.objects.length, ...open);
  }
}

function nameOf(uid: string, chunks: readonly Buffer[]): string {
  return `${uid} ${sha256(Buffer.concat(chunks))}`;
}

/** Keeps the lines that say too much, or that something failed inside. */
function suspiciousLines(): { write: (line: string) => void; lines: string[] } {
  const lines: string[] = [];
  const suspicious = [canary.patientName, canary.uidRoot, 'INTAKE_INTERNAL'];
  return {
    lines,
    write: (line) => {
      if (suspicious.some((word) => line.includes(word))) lines.push(line);
    },
  };
}

it(
  'take nothing and break nothing, whatever comes in whatever pieces',
  async () => {
    const spool = new ForgetfulSpool();
    const log = suspiciousLines();
    const clock = systemClock;
    const options = { ...intakeOptions, unknownCallers: 'accept' as const, limits, timers };
    const listener = new IntakeListener(options, { spool, clock, log: createLog('debug', log) });
    const server = await serverOf(() => listener.start());
    onTestFinished(() => listener.stop(0));
    const stored = new Map<string, WireMessage>();
    let endedSessions = 0;
    const played: CrowdOptions = {
      seed: plan.seed,
      sessions,
      peers,
      connect: (peer) => memoryLine(server, peerAddress(peer, 10)),
      ended: (_session, outcome) => {
        for (const message of outcome.stored) {
          stored.set(nameOf(message.SOPInstanceUID, [message.dataSet]), message);
        }
        endedSessions += 1;
        if (endedSessions % 500 === 0) spool.settle();
      },
    };

    const report = only === undefined ? await crowd(played) : await replay(played, Number(only));

    say(
      `hostile volume: ${report.sessions} sessions, ${(report.sessions / report.seconds).toFixed(0)}/s, ` +
        `${(report.bytesSent / 1024 / 1024).toFixed(0)} MiB; ${report.stored} whole objects stored; late ${report.late}`,
    );
    expect(report.failures).toEqual([]);
    expect(report.late).toBeLessThanOrEqual(sessions / 200);
    await expect.poll(() => listener.stats().idleConnections, { timeout: 10_000 }).toBe(0);
    const { associations, refusalCounts, refusals } = listener.stats();
    expect(associations).toBe(0);
    expect(refusalCounts['INTAKE_INTERNAL']).toBeUndefined();
    expect(JSON.stringify(refusals)).not.toContain(canary.uidRoot);
    expect(log.lines).toEqual([]);
    spool.settle();
    expect(spool.objects.map(({ state }: RecordedObject) => state)).toEqual([]);
    expect([...stored.keys()].filter((name) => !spool.kept.has(name))).toEqual([]);
  },
  120_000 + sessions * 10,
);
