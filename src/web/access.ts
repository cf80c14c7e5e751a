import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { GantryError } from '../base/errors.ts';
import type { AccessStore, StoredToken, StoredUser, User } from './access-store.ts';
import type { Credentials, Identity } from './api-registrar.ts';
import type { Role } from './api-route.ts';
import type { AuditedAction } from './audit-log.ts';
import { Pairing } from './pairing.ts';
import type { Session, Sessions } from './sessions.ts';
import type { SignInLimiter } from './sign-in-limiter.ts';
import {
  accountMissing,
  codeRefused,
  lastAdmin,
  passwordWeak,
  passwordWrong,
  sessionEnded,
  tokenUnknown,
  tooMany,
  userConfigured,
  userExists,
  wrongSignIn,
} from './access-refusals.ts';

/** Hashes passwords. */
export interface PasswordPort {
  hash(password: string): Promise<string>;
  /** A hash of null takes as long and is never right. */
  verify(password: string, hash: string | null): Promise<boolean>;
}

export type CodeAnswer =
  | { readonly ok: true; readonly name: string; readonly key: string; readonly until: number }
  | { readonly ok: false; readonly why: 'unreadable' | 'signature' | 'box' | 'expired' | 'early' };

export interface AccessParts {
  readonly store: AccessStore;
  readonly sessions: Sessions;
  readonly limiter: SignInLimiter;
  readonly passwords: PasswordPort;
  /** Users of the configuration: they are changed there alone. */
  readonly configured: Readonly<Record<string, User>>;
  /** Looks at a technician code. */
  readonly checkCode: (code: string) => CodeAnswer;
  readonly audit: (action: AuditedAction) => Promise<void>;
  readonly clock: Clock;
}

export interface UserView {
  readonly name: string;
  readonly role: Role;
  /** Where it is changed. */
  readonly from: 'page' | 'configuration';
}

const usersMax = 100;
const tokensMax = 100;
const tokenPrefix = 'gantry_';
export const passwordCharsMin = 10;

/** Who may do what: users, sessions, tokens, the pairing code and technician codes. */
export class Access {
  readonly pairing: Pairing;
  readonly #parts: AccessParts;
  readonly #tokenUsedAt = new Map<string, number>();
  /** When a lock-out was last written down, by its code; monotonic. */
  readonly #lockedAt = new Map<string, number>();

  constructor(parts: AccessParts) {
    this.#parts = parts;
    // Where it cannot be read who there is, nobody becomes an admin by the way.
    this.pairing = new Pairing(parts.store, () => this.paired || parts.store.damaged, parts.clock);
  }

  /** Whether anybody is an admin. */
  get paired(): boolean {
    return this.users().some((user) => user.role === 'admin');
  }

  /** @throws ApiRefusal AUTH_SESSION_ENDED, AUTH_TOKEN */
  identify({ session, bearer }: Credentials, how: 'use' | 'look' = 'use'): Identity | null {
    if (bearer !== null) return this.#tokenOwner(bearer);
    if (session === null) return null;
    const found = this.#parts.sessions.find(session, how);
    if (found === null) throw sessionEnded();
    return { name: found.name, role: found.role, csrfToken: found.csrfToken };
  }

  /** The session of a secret, or null. */
  sessionOf(token: string | null): Session | null {
    return token === null ? null : this.#parts.sessions.find(token, 'look');
  }

  /** @returns the secret of the new session. @throws ApiRefusal SIGN_IN_*, AUTH_WRONG */
  async signIn(name: string, password: string, address: string): Promise<string> {
    const attempt = await this.#begin(name, address);
    const user = this.#find(name);
    const right = await this.#parts.passwords.verify(password, user?.passwordHash ?? null);
    if (user === null || !right) {
      await this.#note('SIGN_IN', { name, role: null }, address, 'AUTH_WRONG');
      throw wrongSignIn();
    }
    attempt.succeeded();
    return this.#begun({ name, role: user.role, kind: 'user', address });
  }

  /** Signs a visitor in as a technician until the code ends. @throws ApiRefusal SIGN_IN_*, AUTH_CODE_* */
  async signInWithCode(code: string, address: string): Promise<string> {
    const attempt = await this.#begin(null, address);
    const answer = this.#parts.checkCode(code);
    if (!answer.ok) {
      await this.#note('SIGN_IN_CODE', null, address, 'AUTH_CODE');
      throw codeRefused(answer.why, this.#parts.clock.now());
    }
    attempt.succeeded();
    const name = `${answer.name} (code of ${answer.key})`;
    const lifeMs = answer.until - this.#parts.clock.now();
    return this.#begun({ name, role: 'technician', kind: 'code', address }, lifeMs, 'SIGN_IN_CODE');
  }

  /** Makes the first admin, or one more after a reset. @throws ApiRefusal PAIRING_*, SIGN_IN_*, USER_* */
  async pair(code: string, name: string, password: string, address: string): Promise<string> {
    checkPassword(password, name);
    if (Object.hasOwn(this.#parts.configured, name)) throw userConfigured();
    const attempt = await this.#begin(name, address);
    try {
      await this.pairing.check(code);
    } catch (error) {
      await this.#note('PAIRING', { name, role: null }, address, codeOf(error));
      throw error;
    }
    attempt.succeeded();
    const passwordHash = await this.#parts.passwords.hash(password);
    const user: StoredUser = { role: 'admin', passwordHash, since: this.#parts.clock.now() };
    await this.#parts.store.change((state) => {
      // Of two who come with the same code, one is first.
      if (state.pairing === null) throw wrongSignIn();
      return { ...state, users: { ...state.users, [name]: user }, pairing: null };
    });
    this.#endSessions(name);
    return this.#begun({ name, role: 'admin', kind: 'user', address }, Infinity, 'PAIRING');
  }

  async signOut(token: string, address: string): Promise<void> {
    const session = this.sessionOf(token);
    this.#parts.sessions.end(token);
    if (session !== null) await this.#note('SIGN_OUT', session, address, null);
  }

  users(): UserView[] {
    const { configured, store } = this.#parts;
    const own = Object.entries(store.state.users).filter(([name]) => !Object.hasOwn(configured, name));
    return [
      ...Object.entries(configured).map(([name, { role }]) => ({
        name,
        role,
        from: 'configuration' as const,
      })),
      ...own.map(([name, { role }]) => ({ name, role, from: 'page' as const })),
    ];
  }

  /** @throws ApiRefusal USER_EXISTS, USER_CONFIGURED, USER_PASSWORD */
  async addUser(name: string, role: Role, password: string): Promise<void> {
    checkPassword(password, name);
    const passwordHash = await this.#parts.passwords.hash(password);
    await this.#changeUsers((users) => {
      if (this.#find(name) !== null) throw userExists();
      if (Object.keys(users).length >= usersMax) throw tooMany();
      return { ...users, [name]: { role, passwordHash, since: this.#parts.clock.now() } };
    });
  }

  /** Changes role or password, and ends that person's sessions. @throws ApiRefusal USER_*, USER_LAST_ADMIN */
  async changeUser(
    name: string,
    change: { role?: Role | undefined; password?: string | undefined },
  ): Promise<void> {
    const { password } = change;
    if (password !== undefined) checkPassword(password, name);
    const passwordHash = password === undefined ? null : await this.#parts.passwords.hash(password);
    await this.#changeUsers((users) => {
      const user = this.#ownUser(users, name);
      const role = change.role ?? user.role;
      return { ...users, [name]: { ...user, role, passwordHash: passwordHash ?? user.passwordHash } };
    });
    this.#endSessions(name);
  }

  /** Whether whoever has signed in has a password that is changed here. */
  hasOwnPassword({ name, kind }: Session): boolean {
    return kind === 'user' && !Object.hasOwn(this.#parts.configured, name);
  }

  /**
   * Ends all sessions of that person and begins a new one.
   * @returns its secret
   * @throws ApiRefusal AUTH_PASSWORD, SIGN_IN_*, USER_*
   */
  async changeOwnPassword(
    session: Session,
    password: string,
    next: string,
    address: string,
  ): Promise<string> {
    if (!this.hasOwnPassword(session)) throw userConfigured();
    const { name } = session;
    const attempt = await this.#begin(name, address);
    const right = await this.#parts.passwords.verify(password, this.#find(name)?.passwordHash ?? null);
    if (!right) throw passwordWrong();
    attempt.succeeded();
    await this.changeUser(name, { password: next });
    const role = this.#find(name)?.role ?? session.role;
    return this.#begun({ name, role, kind: 'user', address });
  }

  /** @throws ApiRefusal USER_* */
  async removeUser(name: string): Promise<void> {
    await this.#changeUsers((users) => {
      this.#ownUser(users, name);
      return Object.fromEntries(Object.entries(users).filter(([one]) => one !== name));
    });
    this.#endSessions(name);
  }

  tokens(): (Omit<StoredToken, 'secretHash'> & { readonly usedAt: number | null })[] {
    return this.#parts.store.state.tokens.map(({ id, name, role, since, madeBy, until }) => ({
      id,
      name,
      role,
      since,
      madeBy,
      until,
      usedAt: this.#tokenUsedAt.get(id) ?? null,
    }));
  }

  /** @returns the secret: it is not kept, so this is the one time it is seen */
  async makeToken(
    given: Pick<StoredToken, 'name' | 'role' | 'madeBy'> & { readonly lifeMs: number | null },
  ): Promise<{ readonly id: string; readonly token: string }> {
    const token = `${tokenPrefix}${randomBytes(32).toString('base64url')}`;
    const id = randomBytes(8).toString('hex');
    const since = this.#parts.clock.now();
    const { name, role, lifeMs, madeBy } = given;
    const until = lifeMs === null ? null : since + lifeMs;
    const stored: StoredToken = { name, role, until, madeBy, id, since, secretHash: secretHashOf(token) };
    await this.#parts.store.change((state) => {
      if (state.tokens.length >= tokensMax) throw tooMany();
      return { ...state, tokens: [...state.tokens, stored] };
    });
    return { id, token };
  }

  /** @throws ApiRefusal ACCOUNT_MISSING */
  async removeToken(id: string): Promise<void> {
    await this.#parts.store.change((state) => {
      const tokens = state.tokens.filter((one) => one.id !== id);
      if (tokens.length === state.tokens.length) throw accountMissing();
      return { ...state, tokens };
    });
  }

  /** Opens the way back in for whoever stands at the console; ends every session. @returns the new pairing code */
  async reset(): Promise<string> {
    await this.#parts.store.repair();
    const code = await this.pairing.make(true);
    this.#parts.sessions.endWhere(() => true);
    await this.#note('AUTH_RESET', null, 'console', null);
    return code;
  }

  async #begin(name: string | null, address: string): Promise<{ succeeded: () => void }> {
    try {
      return this.#parts.limiter.begin(address);
    } catch (error) {
      await this.#noteLocked(name, address, codeOf(error));
      throw error;
    }
  }

  /** Once a minute is enough to know that somebody is locked out. */
  async #noteLocked(name: string | null, address: string, code: string): Promise<void> {
    const now = this.#parts.clock.monotonic();
    if (now - (this.#lockedAt.get(code) ?? -Infinity) < 60_000) return;
    this.#lockedAt.set(code, now);
    await this.#note('SIGN_IN', name === null ? null : { name, role: null }, address, code);
  }

  async #begun(
    who: Pick<Session, 'name' | 'role' | 'kind' | 'address'>,
    lifeMs = Infinity,
    event = 'SIGN_IN',
  ): Promise<string> {
    await this.#note(event, who, who.address, null);
    return this.#parts.sessions.begin(who, lifeMs).token;
  }

  #note(
    event: string,
    who: { readonly name: string; readonly role: Role | null } | null,
    address: string,
    code: string | null,
  ): Promise<void> {
    return this.#parts.audit({
      event,
      // A name nobody has may be a password in the wrong field.
      actor: who === null || (who.role === null && this.#find(who.name) === null) ? null : who.name,
      role: who?.role ?? null,
      address,
      outcome: code === null ? 'success' : 'failure',
      code,
      subject: null,
    });
  }

  #find(name: string): User | null {
    const { configured, store } = this.#parts;
    if (Object.hasOwn(configured, name)) return configured[name] ?? null;
    return Object.hasOwn(store.state.users, name) ? (store.state.users[name] ?? null) : null;
  }

  #ownUser(users: Readonly<Record<string, StoredUser>>, name: string): StoredUser {
    if (Object.hasOwn(this.#parts.configured, name)) throw userConfigured();
    const user = Object.hasOwn(users, name) ? users[name] : undefined;
    if (user === undefined) throw accountMissing();
    return user;
  }

  /** No change leaves the box without an admin. */
  async #changeUsers(
    change: (users: Readonly<Record<string, StoredUser>>) => Readonly<Record<string, StoredUser>>,
  ): Promise<void> {
    const configuredAdmin = Object.values(this.#parts.configured).some((one) => one.role === 'admin');
    await this.#parts.store.change((state) => {
      const users = change(state.users);
      const admin = configuredAdmin || Object.values(users).some((one) => one.role === 'admin');
      if (!admin) throw lastAdmin();
      return { ...state, users };
    });
  }

  #endSessions(name: string): void {
    this.#parts.sessions.endWhere((session) => session.kind === 'user' && session.name === name);
  }

  #tokenOwner(secret: string): Identity {
    const hash = secretHashOf(secret);
    const now = this.#parts.clock.now();
    const token = this.#parts.store.state.tokens.find((one) => one.secretHash === hash);
    if (token === undefined || (token.until !== null && now >= token.until)) throw tokenUnknown();
    this.#tokenUsedAt.set(token.id, now);
    return { name: `token ${token.name}`, role: token.role, csrfToken: null };
  }
}

/** Secrets are random and long: one pass of a fast hash keeps them, and finding one by it gives nothing away. */
function secretHashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function codeOf(error: unknown): string {
  return error instanceof GantryError ? error.code : 'HTTP_INTERNAL';
}

/** Long enough, and not what is tried first (NIST SP 800-63B §5.1.1.2 asks for no more). */
function checkPassword(password: string, name: string): void {
  const small = password.toLowerCase();
  const few = new Set(small).size < 4;
  if (password.length < passwordCharsMin || few || small.includes(name.toLowerCase()))
    throw passwordWeak(passwordCharsMin);
}

/** Who asks, where only a browser's session will do. @throws ApiRefusal AUTH_SESSION_ENDED */
export function needSession(session: Session | null): Session {
  if (session === null) throw sessionEnded();
  return session;
}
