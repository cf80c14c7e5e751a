import { setTimeout as delay } from 'node:timers/promises';
import type { Reason } from '../base/errors.ts';

/** What the gateway looks at in itself. */
export interface SelfCheckParts {
  /** Calls the gateway's own DICOM port as a device would. @returns the code of the failure, or null */
  readonly associate: () => Promise<string | null>;
  /** No connection more is let in before another one ends. */
  readonly isFull: () => boolean;
  /** Writes to the spool. @returns why nothing can be stored, or null */
  readonly spool: () => Promise<Reason | null>;
  /** Asks the ledger for something; rejects where it does not answer. */
  readonly ledger: () => Promise<unknown>;
}

export const selfCheckSteps = ['association', 'spool', 'ledger'] as const;
export type SelfCheckStep = (typeof selfCheckSteps)[number];

/** What a look at itself showed. */
export interface SelfCheckReport {
  /** Everything an image needs works. */
  readonly ok: boolean;
  /**
   * It answers, even if with a refusal. Where it does not, a new start is the remedy; for a full or broken disk it is
   * none, and would cut off who is sending.
   */
  readonly alive: boolean;
  readonly steps: readonly {
    readonly step: SelfCheckStep;
    readonly ok: boolean;
    readonly code: string | null;
    readonly words: string;
  }[];
}

/** How long each part may take; they are looked at side by side. */
const stepMs = 20_000;

const wordsWhenWell: Readonly<Record<SelfCheckStep, string>> = {
  association: 'The DICOM port answered a C-ECHO.',
  spool: 'The spool keeps what is written.',
  ledger: 'The ledger answers.',
};

const full: Reason = {
  code: 'CONNECTIONS_FULL',
  words: 'The DICOM port is busy with as many connections as it may have.',
};

/** Looks at all parts; never rejects. */
export async function selfCheck(parts: SelfCheckParts): Promise<SelfCheckReport> {
  const looks: Readonly<Record<SelfCheckStep, Promise<Reason | null>>> = {
    association: inTime(
      parts.associate().then((code) => (code === null ? null : parts.isFull() ? full : unanswered(code))),
    ),
    spool: inTime(parts.spool()),
    ledger: inTime(parts.ledger().then(() => null)),
  };
  const steps = await Promise.all(
    selfCheckSteps.map(async (step) => {
      const reason = await looks[step];
      return {
        step,
        ok: reason === null,
        code: reason?.code ?? null,
        words: reason?.words ?? wordsWhenWell[step],
      };
    }),
  );
  // The disk is left out: one that is full, slow or broken is no better after a new start.
  const dead = steps.some(({ step, ok, code }) => step !== 'spool' && !ok && code !== full.code);
  return { ok: steps.every(({ ok }) => ok), alive: !dead, steps };
}

function unanswered(code: string): Reason {
  return { code, words: 'The DICOM port did not answer a C-ECHO of the gateway itself.' };
}

function inTime(look: Promise<Reason | null>): Promise<Reason | null> {
  const late: Reason = { code: 'SELF_CHECK_LATE', words: `There was no answer within ${stepMs / 1000} s.` };
  const failed: Reason = { code: 'SELF_CHECK_FAILED', words: 'It failed.' };
  const timer = new AbortController();
  const timeout = delay(stepMs, late, { signal: timer.signal, ref: false }).catch(() => late);
  return Promise.race([look.catch(() => failed), timeout]).finally(() => timer.abort());
}
