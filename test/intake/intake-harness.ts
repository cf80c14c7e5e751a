import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { IntakeListener } from '../../src/intake/listener.ts';
import type { IntakeOptions } from '../../src/intake/options.ts';
import { RecorderSpool } from './recorder-spool.ts';

export interface Harness {
  readonly listener: IntakeListener;
  readonly port: number;
  readonly spool: RecorderSpool;
  readonly logLines: string[];
}

export const intakeOptions: IntakeOptions = {
  host: '127.0.0.1',
  port: 0,
  aeTitle: 'GANTRY',
  aliases: [],
  unknownCallers: 'refuse',
  unknownSopClasses: 'accept',
  modalities: { ct: { aeTitle: 'CT1', addresses: ['127.0.0.0/8'], priority: 'routine' } },
};

/** A listener on a free port that stops with the test. */
export async function startIntake(
  options: Partial<IntakeOptions> = {},
  clock: Clock = systemClock,
): Promise<Harness> {
  const spool = new RecorderSpool();
  const logLines: string[] = [];
  const log = createLog('debug', { write: (line) => logLines.push(line) });
  const listener = new IntakeListener({ ...intakeOptions, ...options }, { spool, clock, log });
  const { port } = await listener.start();
  onTestFinished(() => listener.stop(0));
  return { listener, port, spool, logLines };
}

/** Waits until the condition holds; for effects that no event announces. Bounded by the test's own time. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
