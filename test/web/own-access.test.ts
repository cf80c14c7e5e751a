import { expect, test } from 'vitest';
import type { AuditEntry } from '../../src/web/audit-log.ts';
import {
  type AccessHarness,
  adminPassword,
  browserOf,
  pairedAdmin,
  signIn,
  startAccess,
} from './access-harness.ts';

const password = 'eleven slow barges';
const nextPassword = 'a kettle under pines';

async function withViewer() {
  const house = await startAccess();
  const admin = await pairedAdmin(house);
  await house.access.addUser('vera', 'viewer', password);
  return { house, admin };
}

async function enter(house: AccessHarness, name: string, secret: string) {
  return browserOf(house, await signIn(house, name, secret));
}

const alive = async (house: AccessHarness, headers: Record<string, string>) =>
  (await house.ask('/api/v1/session', { headers })).json.user;

test('changing the own password keeps this browser signed in, with a new secret, and ends the others', async () => {
  const { house } = await withViewer();
  const here = await enter(house, 'vera', password);
  const elsewhere = await enter(house, 'vera', password);
  const change = (given: object, who = here) =>
    house.ask('/api/v1/session/password', { method: 'PUT', body: given, headers: who.changing });

  const wrong = await change({ password: 'another one', newPassword: nextPassword });
  expect([wrong.status, wrong.json.code]).toEqual([403, 'AUTH_PASSWORD']);
  const weak = await change({ password, newPassword: 'vera' });
  expect([weak.status, weak.json.code]).toEqual([400, 'USER_PASSWORD']);
  expect(await alive(house, elsewhere.reading)).toBe('vera');

  const changed = await change({ password, newPassword: nextPassword });
  expect(changed.json).toMatchObject({ user: 'vera', role: 'viewer', ownPassword: true });
  const after = browserOf(house, changed);
  expect(await alive(house, after.reading)).toBe('vera');
  expect(await alive(house, here.reading)).toBeNull();
  expect(await alive(house, elsewhere.reading)).toBeNull();
  expect((await signIn(house, 'vera', password)).status).toBe(401);
  expect((await signIn(house, 'vera', nextPassword)).status).toBe(200);
  const { entries } = await house.audit.read();
  const written = entries.filter(({ event }) => event === 'PASSWORD_CHANGED');
  expect(written.map(({ actor, code }) => [actor, code])).toEqual([
    ['vera', 'AUTH_PASSWORD'],
    ['vera', 'USER_PASSWORD'],
    ['vera', null],
  ]);
});

test('who is a user of the configuration is told that the password is not changed here', async () => {
  const first = await startAccess();
  const passwordHash = await first.passwords.hash(password);
  const house = await startAccess({ configured: { it: { role: 'admin', passwordHash } } });
  const answer = await signIn(house, 'it', password);
  expect(answer.json.ownPassword).toBe(false);
  const refused = await house.ask('/api/v1/session/password', {
    method: 'PUT',
    body: { password, newPassword: nextPassword },
    headers: browserOf(house, answer).changing,
  });
  expect([refused.status, refused.json.code]).toEqual([409, 'USER_CONFIGURED']);
});

test('a viewer sees and ends own sessions, and learns nothing of others', async () => {
  const { house, admin } = await withViewer();
  const one = await enter(house, 'vera', password);
  const two = await enter(house, 'vera', password);
  const listed = await house.ask('/api/v1/sessions', { headers: one.reading });
  const sessions = listed.json.sessions as { id: string; user: string; current: boolean }[];
  expect(sessions.map(({ user, current }) => [user, current])).toEqual([
    ['vera', true],
    ['vera', false],
  ]);
  const end = (id: string | undefined) =>
    house.ask(`/api/v1/sessions/${id}`, { method: 'DELETE', headers: one.changing });
  const adminSession = house.sessions.list().find(({ session }) => session.name === 'ada')?.session.id;
  const foreign = await end(adminSession);
  const invented = await end('0123456789abcdef');
  expect(foreign.status).toBe(404);
  expect(foreign.json).toEqual(invented.json);
  expect(await alive(house, admin.reading)).toBe('ada');
  expect((await end(sessions[1]?.id)).status).toBe(204);
  expect(await alive(house, two.reading)).toBeNull();
  expect(await alive(house, one.reading)).toBe('vera');
});

test('all others are ended at once: the own ones by anybody, everybody else by an admin alone', async () => {
  const { house, admin } = await withViewer();
  const [one, two, three] = [
    await enter(house, 'vera', password),
    await enter(house, 'vera', password),
    await enter(house, 'ada', adminPassword),
  ];
  const end = (query: string, who = one) =>
    house.ask(`/api/v1/sessions${query}`, { method: 'DELETE', headers: who.changing });
  const refused = await end('?whose=all');
  expect([refused.status, refused.json.code]).toEqual([403, 'AUTH_ROLE']);
  expect((await end('')).json).toEqual({ ended: 1 });
  expect(await alive(house, two.reading)).toBeNull();
  expect(await alive(house, three.reading)).toBe('ada');
  expect((await end('?whose=all', admin)).json).toEqual({ ended: 2 });
  expect(await alive(house, one.reading)).toBeNull();
  expect(await alive(house, three.reading)).toBeNull();
  expect(await alive(house, admin.reading)).toBe('ada');
  const { entries } = await house.audit.read();
  const written = entries.filter(({ event }) => event === 'SESSIONS_ENDED');
  expect(written.map(({ outcome, subject }) => [outcome, subject])).toEqual([
    ['failure', 'all'],
    ['success', 'mine'],
    ['success', 'all'],
  ]);
});

test('the audit log is filtered by who, what and outcome, page after page, and says what was looked for', async () => {
  const { house, admin } = await withViewer();
  for (let wrong = 0; wrong < 3; wrong += 1) await signIn(house, 'vera', 'not it at all');
  await signIn(house, 'vera', password);
  const look = async (query: string) =>
    (await house.ask(`/api/v1/audit?${query}`, { headers: admin.reading })).json as {
      entries: AuditEntry[];
      next: number | null;
      total: number;
    };
  const events = ({ entries }: { entries: AuditEntry[] }) => entries.map(({ event }) => event);
  const failed = await look('actor=VERA&event=SIGN_IN&outcome=failure&limit=2');
  expect(events(failed)).toEqual(['SIGN_IN', 'SIGN_IN']);
  expect(failed.total).toBeGreaterThan(4);
  const rest = await look(`actor=vera&event=SIGN_IN&outcome=failure&before=${failed.next}`);
  expect([events(rest), rest.next]).toEqual([['SIGN_IN'], null]);
  expect(events(await look('actor=vera'))).toHaveLength(4);
  expect(events(await look('actor=ver'))).toEqual([]);
  const [newest] = (await look('event=AUDIT_READ')).entries;
  expect(newest?.subject).toBe('ver');
});
