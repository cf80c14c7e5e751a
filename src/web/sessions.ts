import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Role } from './api-route.ts';

export interface SessionLimits {
  /** A session nobody uses ends after it. */
  readonly idleMs: number;
  /** A session ends after it in any case. */
  readonly lifeMs: number;
  readonly sessionsMax: number;
}

export const sessionLimits: SessionLimits = {
  idleMs: 30 * 60_000,
  lifeMs: 12 * 3_600_000,
  sessionsMax: 64,
};

export interface Session {
  /** Names it in lists; is no secret. */
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Account: one of this box's users, or a visitor with a technician code. */
  readonly kind: 'user' | 'code';
  readonly address: string;
  readonly csrfToken: string;
  /** Wall clock, for people. */
  readonly since: number;
  /** Monotonic: what ends it does not follow jumps of the clock. */
  readonly endsAt: number;
  usedAt: number;
}

/**
 * Who has signed in with a browser. Held in memory alone: a restart ends them all. A session is found by the hash of
 * its secret, which is always made here: one that a browser brings along is never taken over.
 */
export class Sessions {
  readonly #clock: Clock;
  readonly #limits: SessionLimits;
  readonly #sessions = new Map<string, Session>();

  constructor(clock: Clock, limits: SessionLimits = sessionLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Begins a session.
   * @param lifeMsMax ends it earlier than others
   * @returns its secret
   */
  begin(
    who: Pick<Session, 'name' | 'role' | 'kind' | 'address'>,
    lifeMsMax = Infinity,
  ): { token: string; session: Session } {
    const now = this.#clock.monotonic();
    const token = randomBytes(32).toString('base64url');
    const session: Session = {
      ...who,
      id: randomBytes(8).toString('hex'),
      csrfToken: randomBytes(24).toString('base64url'),
      since: this.#clock.now(),
      endsAt: now + Math.min(this.#limits.lifeMs, lifeMsMax),
      usedAt: now,
    };
    this.#endOld();
    this.#sessions.set(keyOf(token), session);
    return { token, session };
  }

  /** The session of a secret; null where there is none, or no longer. @param how `look` does not count as use */
  find(token: string, how: 'use' | 'look' = 'use'): Session | null {
    const key = keyOf(token);
    const session = this.#sessions.get(key);
    if (session === undefined) return null;
    const now = this.#clock.monotonic();
    if (now >= session.endsAt || now - session.usedAt >= this.#limits.idleMs) {
      this.#sessions.delete(key);
      return null;
    }
    if (how === 'use') session.usedAt = now;
    return session;
  }

  end(token: string): void {
    this.#sessions.delete(keyOf(token));
  }

  /** Ends every session that fits. @returns how many */
  endWhere(fits: (session: Session) => boolean): number {
    const found = [...this.#sessions].filter(([, session]) => fits(session));
    for (const [key] of found) this.#sessions.delete(key);
    return found.length;
  }

  /** Those that have not ended, with how long nobody used them. */
  list(): { readonly session: Session; readonly idleMs: number }[] {
    const now = this.#clock.monotonic();
    this.#endOld(0);
    return [...this.#sessions.values()].map((session) => ({ session, idleMs: now - session.usedAt }));
  }

  #endOld(roomFor = 1): void {
    const now = this.#clock.monotonic();
    this.endWhere(({ endsAt, usedAt }) => now >= endsAt || now - usedAt >= this.#limits.idleMs);
    const oldest = [...this.#sessions].toSorted(([, a], [, b]) => a.usedAt - b.usedAt);
    const tooMany = this.#sessions.size + roomFor - this.#limits.sessionsMax;
    for (const [key] of oldest.slice(0, Math.max(0, tooMany))) this.#sessions.delete(key);
  }
}

function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
