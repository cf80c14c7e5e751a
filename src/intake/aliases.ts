import { z } from 'zod';
import type { Attempt } from './attempts.ts';
import type { IntakePlace } from './options.ts';

/** A way in that the settings do not name any more and devices may still use. */
export interface Alias {
  /** An AE title, or null where it is a place. */
  readonly title: string | null;
  readonly place: IntakePlace | null;
  /** Who called lately and has not been seen to use the new way yet. */
  readonly callers: readonly AliasCaller[];
}

interface AliasCaller {
  readonly callingAeTitle: string;
  readonly address: string;
}

/** What is remembered of it over restarts. */
export const aliasNote: { schema: z.ZodType<readonly Alias[]>; empty: readonly Alias[] } = {
  schema: z.array(
    z.object({
      title: z.string().nullable(),
      place: z.object({ host: z.string(), port: z.int().min(0).max(65_535) }).nullable(),
      callers: z.array(z.object({ callingAeTitle: z.string(), address: z.string() })),
    }),
  ),
  empty: [],
};

/** Each device that was let in lately, once. */
export function callersOf(attempts: readonly Attempt[]): AliasCaller[] {
  const callers = new Map<string, AliasCaller>();
  for (const { outcome, callingAeTitle, address } of attempts)
    if (outcome === 'accepted') callers.set(`${address} ${callingAeTitle}`, { callingAeTitle, address });
  return [...callers.values()];
}

/**
 * What is still needed after a device was let in.
 * @param here whether it used the new title, and the new place
 */
export function withoutCaller(
  aliases: readonly Alias[],
  { callingAeTitle, address }: Pick<Attempt, 'callingAeTitle' | 'address' | 'calledAeTitle' | 'outcome'>,
  here: { readonly title: boolean; readonly place: boolean },
): Alias[] {
  return aliases
    .map((alias) => {
      const found = alias.title === null ? here.place : here.title;
      const is = (one: AliasCaller) => one.callingAeTitle === callingAeTitle && one.address === address;
      if (!found || !alias.callers.some(is)) return alias;
      return { ...alias, callers: alias.callers.filter((one) => !is(one)) };
    })
    .filter(({ callers }) => callers.length > 0);
}
