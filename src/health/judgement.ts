import type { StatusReport, VerdictAbout } from './status.ts';

/** How things stand, in the words of the gateway and as a code with what it is about, for other languages. */
export type Judgement = Pick<StatusReport, 'verdict' | 'reason' | 'nextStep' | 'code' | 'about'>;

/** What a judgement is about; `at` in milliseconds since the epoch. */
export type About = Partial<Omit<VerdictAbout, 'at'> & { readonly at: number | null }>;

export function degraded(code: string, reason: string, nextStep: string, about: About = {}): Judgement {
  const { name = null, cause = null, count = null, at = null } = about;
  return {
    verdict: 'degraded',
    reason,
    nextStep,
    code,
    about: {
      name,
      cause: cause === null ? null : { code: cause.code, words: cause.words },
      count,
      at: at === null ? null : new Date(at).toISOString(),
    },
  };
}
