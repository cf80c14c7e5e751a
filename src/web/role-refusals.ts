import type { Clock } from '../base/clock.ts';
import { notAllowed } from './access-refusals.ts';
import type { ApiRoute, Caller, Role } from './api-route.ts';
import { roleIncludes } from './api-route.ts';
import type { AuditedAction } from './audit-log.ts';

/** A program that asks again and again must not push everything else out of the audit log. */
const quietMs = 60_000;

/** What was asked for. */
export type Asked = Pick<ApiRoute, 'method' | 'path' | 'audit'> & {
  readonly role: Role;
  readonly address: string;
  /** What it was to be done to, where the route has an event of its own. */
  readonly subject: string | null;
};

/** Refuses whoever lacks the role, and has that written down: once a minute for each caller and call. */
export class RoleRefusals {
  readonly #audit: (action: AuditedAction) => Promise<void>;
  readonly #clock: Clock;
  /** When it was last written, by caller and call; monotonic, the oldest first. */
  readonly #writtenAt = new Map<string, number>();

  constructor(audit: (action: AuditedAction) => Promise<void>, clock: Clock) {
    this.#audit = audit;
    this.#clock = clock;
  }

  /** @throws ApiRefusal AUTH_ROLE */
  async require({ role, method, path, audit, address, subject }: Asked, caller: Caller): Promise<void> {
    if (roleIncludes(caller.role, role)) return;
    const refusal = notAllowed(role);
    const call = `${method} ${path}`;
    if (this.#isNews(`${caller.name} ${call}`))
      await this.#audit({
        event: audit ?? 'ACCESS_REFUSED',
        actor: caller.name,
        role: caller.role,
        address,
        outcome: 'failure',
        code: refusal.code,
        subject: audit === null ? call : subject,
      });
    throw refusal;
  }

  #isNews(key: string): boolean {
    const now = this.#clock.monotonic();
    for (const [one, at] of this.#writtenAt) {
      if (now - at < quietMs) break;
      this.#writtenAt.delete(one);
    }
    if (this.#writtenAt.has(key)) return false;
    this.#writtenAt.set(key, now);
    return true;
  }
}
