import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ApiStream, apiRoute, ApiFile, fileOf, roles } from '../../src/web/api-route.ts';
import { operatorRoutes } from '../../src/web/operator-routes.ts';
import type { Operator } from '../../src/web/operator.ts';
import {
  type AccessHarness,
  adminPassword,
  browserOf,
  pairedAdmin,
  signIn,
  startAccess,
} from './access-harness.ts';

/** A call that counts how often it was really made. */
function countedRoute() {
  const state = { done: 0 };
  const route = apiRoute({
    method: 'POST',
    path: '/api/v1/counted',
    role: 'technician',
    summary: 'Counts.',
    request: z.strictObject({}),
    response: z.object({ done: z.number() }),
    audit: 'COUNTED',
    handle: async () => ({ done: (state.done += 1) }),
  });
  return { state, route };
}

describe('a browser that another site has got hold of', () => {
  test('changes nothing without the page`s own origin and token', async () => {
    const { state, route } = countedRoute();
    const house = await startAccess({ routes: [route] });
    const admin = await pairedAdmin(house);
    const attempts: [headers: Record<string, string>, code: string][] = [
      [{ ...admin.changing, origin: 'https://evil.example' }, 'AUTH_ORIGIN'],
      [{ ...admin.changing, origin: 'null' }, 'AUTH_ORIGIN'],
      [{ ...admin.changing, origin: house.origin.replace('https', 'http') }, 'AUTH_ORIGIN'],
      [{ ...admin.changing, origin: 'https://127.0.0.1:1' }, 'AUTH_ORIGIN'],
      [{ ...admin.changing, origin: `${house.origin}.evil.example` }, 'AUTH_ORIGIN'],
      [{ cookie: admin.cookie, 'x-csrf-token': admin.csrf }, 'AUTH_ORIGIN'],
      [{ ...admin.changing, 'sec-fetch-site': 'cross-site' }, 'AUTH_ORIGIN'],
      [{ ...admin.changing, 'sec-fetch-site': 'same-site' }, 'AUTH_ORIGIN'],
      [{ cookie: admin.cookie, origin: house.origin }, 'AUTH_CSRF'],
      [{ ...admin.changing, 'x-csrf-token': '' }, 'AUTH_CSRF'],
      [{ ...admin.changing, 'x-csrf-token': `${admin.csrf.slice(0, -1)}_` }, 'AUTH_CSRF'],
    ];
    for (const [headers, code] of attempts) {
      const answer = await house.ask('/api/v1/counted', { method: 'POST', body: {}, headers });
      expect([headers, answer.status, answer.json?.code]).toEqual([headers, 403, code]);
    }
    expect(state.done).toBe(0);
    const mine = await house.ask('/api/v1/counted', { method: 'POST', body: {}, headers: admin.changing });
    expect([mine.status, mine.json]).toEqual([200, { done: 1 }]);
  });

  test('is not signed in by another site, not by a form, and not by a token of another session', async () => {
    const { state, route } = countedRoute();
    const house = await startAccess({ routes: [route] });
    const admin = await pairedAdmin(house);
    const foreign = await signIn(house, 'ada', adminPassword, { origin: 'https://evil.example' });
    expect([foreign.status, foreign.headers['set-cookie']]).toEqual([403, undefined]);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const answer = await house.ask('/api/v1/counted', {
        method: 'POST',
        body: '{}',
        headers: { ...admin.changing, 'content-type': type },
      });
      expect([type, answer.status]).toEqual([type, 415]);
    }
    const other = browserOf(house, await signIn(house, 'ada', adminPassword));
    const mixed = { ...admin.changing, 'x-csrf-token': other.csrf };
    expect((await house.ask('/api/v1/counted', { method: 'POST', body: {}, headers: mixed })).status).toBe(
      403,
    );
    expect(state.done).toBe(0);
  });

  test('reaches nothing under a name that was pointed at this box', async () => {
    const { state, route } = countedRoute();
    const house = await startAccess({ routes: [route] });
    const admin = await pairedAdmin(house);
    for (const host of ['evil.example', '127.0.0.1.evil.example', `localhost.evil.example:${house.port}`]) {
      const headers = { ...admin.changing, host, origin: `https://${host}` };
      for (const [method, path] of [
        ['GET', '/'],
        ['GET', '/api/v1/session'],
        ['GET', '/api/v1/users'],
        ['POST', '/api/v1/counted'],
        ['GET', '/api/v1/%ZZ'],
      ] as const) {
        const answer = await house.ask(path, { method, headers });
        expect([host, path, answer.status]).toEqual([host, path, 421]);
        expect(answer.text).not.toContain('ada');
      }
    }
    expect(state.done).toBe(0);
    for (const host of ['10.9.8.7:8443', '[fd00::1]', 'gantry.clinic.example']) {
      const headers = { cookie: admin.cookie, host };
      expect((await house.ask('/api/v1/session', { headers })).json).toMatchObject({ user: 'ada' });
    }
  });
});

describe('a session', () => {
  test('is a cookie that scripts, other sites and plain HTTP do not get', async () => {
    const house = await startAccess();
    await pairedAdmin(house);
    const answer = await signIn(house, 'ada', adminPassword);
    const cookies = [answer.headers['set-cookie'] ?? []].flat();
    expect(cookies).toHaveLength(1);
    const [pair = '', ...attributes] = (cookies[0] ?? '').split('; ');
    expect(pair).toMatch(/^__Host-gantry-session=[\w-]{43}$/);
    expect(attributes.toSorted()).toEqual(['HttpOnly', 'Path=/', 'SameSite=Strict', 'Secure']);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['content-security-policy']).toMatch(/^default-src 'self';/);
    // The secret is in the cookie alone.
    expect(answer.text).not.toContain(pair.split('=')[1]);
  });

  test('is never one that the browser brought along, and a new one at every sign-in', async () => {
    const house = await startAccess();
    const planted = `__Host-gantry-session=${'A'.repeat(43)}`;
    await pairedAdmin(house);
    const first = browserOf(house, await signIn(house, 'ada', adminPassword, { cookie: planted }));
    expect(first.cookie).not.toBe(planted);
    expect((await house.ask('/api/v1/session', { headers: { cookie: planted } })).json).toMatchObject({
      user: null,
    });
    const again = await signIn(house, 'ada', adminPassword, first.changing);
    const second = browserOf(house, again);
    expect(second.cookie).not.toBe(first.cookie);
    expect(second.csrf).not.toBe(first.csrf);
    expect((await house.ask('/api/v1/users', { headers: first.reading })).status).toBe(401);
    expect((await house.ask('/api/v1/users', { headers: second.reading })).status).toBe(200);
  });

  test('ends when it is not used, in any case in the end, when signed out, and when somebody ends it', async () => {
    const house = await startAccess();
    const minute = 60_000;
    const alive = async (headers: Record<string, string>) =>
      (await house.ask('/api/v1/users', { headers })).status;
    const idle = await pairedAdmin(house);
    house.clock.pass(29 * minute);
    expect(await alive(idle.reading)).toBe(200);
    house.clock.pass(30 * minute);
    const ended = await house.ask('/api/v1/users', { headers: idle.reading });
    expect([ended.status, ended.json?.code]).toEqual([401, 'AUTH_SESSION_ENDED']);
    expect(ended.headers['set-cookie']).toEqual([expect.stringContaining('Max-Age=0')]);

    const long = browserOf(house, await signIn(house, 'ada', adminPassword));
    for (let used = 0; used < 12 * 60; used += 20) {
      expect([used, await alive(long.reading)]).toEqual([used, 200]);
      house.clock.pass(20 * minute);
    }
    expect(await alive(long.reading)).toBe(401);

    const out = browserOf(house, await signIn(house, 'ada', adminPassword));
    await house.ask('/api/v1/session', { method: 'DELETE', headers: out.changing });
    expect(await alive(out.reading)).toBe(401);

    const one = browserOf(house, await signIn(house, 'ada', adminPassword));
    const two = browserOf(house, await signIn(house, 'ada', adminPassword));
    const { json } = await house.ask('/api/v1/sessions', { headers: one.reading });
    expect(json.sessions).toHaveLength(2);
    await house.ask(`/api/v1/sessions/${json.sessions[1].id}`, { method: 'DELETE', headers: one.changing });
    expect([await alive(one.reading), await alive(two.reading)]).toEqual([200, 401]);
  });

  test('counts for nothing on the open port', async () => {
    const house = await startAccess();
    const admin = await pairedAdmin(house);
    const open = `http://127.0.0.1:${house.openPort}`;
    const session = await fetch(`${open}/api/v1/session`, { headers: { cookie: admin.cookie } });
    expect(await session.json()).toMatchObject({ user: null, boxPaired: true });
    const users = await fetch(`${open}/api/v1/users`, { headers: { cookie: admin.cookie } });
    expect(users.status).toBe(403);
    expect(await users.json()).toMatchObject({ code: 'AUTH_HTTPS_ONLY' });
    const post = await fetch(`${open}/api/v1/session`, {
      method: 'POST',
      body: JSON.stringify({ name: 'ada', password: adminPassword }),
      headers: { 'content-type': 'application/json' },
    });
    expect(post.status).toBe(405);
  });
});

describe('guessing', () => {
  test('ten thousand passwords: ten are looked at, the right one among the rest is not', async () => {
    const house = await startAccess();
    await pairedAdmin(house);
    const hashedBefore = house.passwords.made;
    const outcomes = new Map<number, number>();
    const tries = 10_000;
    let next = 0;
    const guess = async () => {
      while (next < tries) {
        next += 1;
        const right = next % 100 === 99 && next > 1000;
        const answer = await signIn(house, 'ada', right ? adminPassword : `wrong password ${next}`);
        outcomes.set(answer.status, (outcomes.get(answer.status) ?? 0) + 1);
        if (answer.status !== 429) continue;
        expect(answer.json?.code).toBe('SIGN_IN_LOCKED');
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
        expect(answer.json?.nextStep).toMatch(/Wait \d+ (seconds|minute)/);
      }
    };
    await Promise.all(Array.from({ length: 32 }, guess));
    expect(Object.fromEntries(outcomes)).toEqual({ 401: 10, 429: tries - 10 });
    expect(house.passwords.made - hashedBefore).toBe(10);
    // Nor does the audit log grow with them.
    expect((await house.audit.read()).entries.length).toBeLessThan(20);

    house.clock.pass(61_000);
    expect((await signIn(house, 'ada', adminPassword)).status).toBe(200);
  }, 120_000);

  test('from ten thousand addresses: fifty are looked at, and who is known gets in', async () => {
    const house = await startAccess();
    await pairedAdmin(house);
    const hashedBefore = house.passwords.made;
    const codes = new Map<string, number>();
    for (let at = 0; at < 10_000; at += 1) {
      const address =
        at % 2 === 0 ? `10.${at >> 8}.${at & 255}.7` : `fd00:0:${at.toString(16)}::${at.toString(16)}`;
      const error: unknown = await house.access
        .signIn('ada', `wrong ${at}`, address)
        .catch((one: unknown) => one);
      const { code } = error as { code: string };
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect(Object.fromEntries(codes)).toEqual({ AUTH_WRONG: 50, SIGN_IN_BUSY: 9_950 });
    expect(house.passwords.made - hashedBefore).toBe(50);
    expect((await signIn(house, 'ada', adminPassword)).status).toBe(200);
  });

  test('whoever owns a network of IPv6 is one address', async () => {
    const house = await startAccess();
    await pairedAdmin(house);
    const codes: string[] = [];
    for (let at = 0; at < 12; at += 1) {
      const error: unknown = await house.access
        .signIn('ada', `wrong ${at}`, `2001:db8:0:1::${(1 + at * 4919).toString(16)}`)
        .catch((one: unknown) => one);
      codes.push((error as { code: string }).code);
    }
    expect(codes.slice(0, 10).every((code) => code === 'AUTH_WRONG')).toBe(true);
    expect(codes.slice(10)).toEqual(['SIGN_IN_LOCKED', 'SIGN_IN_LOCKED']);
  });

  test('nobody learns who has an account', async () => {
    const house = await startAccess();
    await pairedAdmin(house);
    const known = await signIn(house, 'ada', 'not the password');
    const unknown = await signIn(house, 'nobody', 'not the password');
    expect(unknown.json).toEqual(known.json);
    expect([known.status, unknown.status]).toEqual([401, 401]);
    // Both were hashed.
    expect(house.passwords.made).toBe(3);
  });

  test('the pairing code: ten tries, then it is no longer good; once there is an admin, never', async () => {
    const house = await startAccess();
    const code = await house.access.pairing.start();
    const pair = (given: string) =>
      house.ask('/api/v1/pairing', {
        method: 'POST',
        body: { code: given, name: 'eve', password: adminPassword },
        headers: { origin: house.origin },
      });
    for (let at = 0; at < 10; at += 1) {
      expect((await pair(`AAAA-AAA${at % 8}`)).json?.code).toBe('PAIRING_CODE');
      house.clock.pass(61_000);
    }
    const late = await pair(code ?? '');
    expect([late.status, late.json?.code]).toEqual([403, 'PAIRING_CLOSED']);
    expect(house.access.users()).toEqual([]);
    // A restart makes another one; the first is worth nothing.
    const second = (await house.access.pairing.start()) ?? '';
    expect((await pair(code ?? '')).json?.code).toBe('PAIRING_CODE');
    expect((await pair(second.toLowerCase().replace('-', ' '))).status).toBe(200);
    house.clock.pass(61_000);
    expect((await pair(second)).json?.code).toBe('PAIRING_CLOSED');
    expect(house.access.users()).toEqual([{ name: 'eve', role: 'admin', from: 'page' }]);
  });

  test('a code of a reset is good for an hour, over a restart too; a clock set back does not bring it back', async () => {
    const house = await startAccess();
    await pairedAdmin(house);
    const pair = (code: string) =>
      house.ask('/api/v1/pairing', {
        method: 'POST',
        body: { code, name: 'bob', password: adminPassword },
        headers: { origin: house.origin },
      });
    const open = async () => (await house.ask('/api/v1/session')).json?.pairingOpen as boolean;
    const late = await house.access.reset();
    house.clock.pass(3_599_000);
    expect([await open(), await house.access.pairing.start()]).toEqual([true, null]);
    house.clock.pass(1_000);
    expect(await open()).toBe(false);
    expect([(await pair(late)).json?.code, house.access.users().length]).toEqual(['PAIRING_OVER', 1]);
    const next = await house.access.reset();
    house.clock.pass(3_540_000);
    expect((await pair(next)).status).toBe(200);
    expect(house.access.users().map(({ name }) => name)).toEqual(['ada', 'bob']);
    await house.access.reset();
    house.clock.pass(3 * 3_600_000);
    house.clock.pass(-6 * 3_600_000);
    expect(await open()).toBe(false);
  });

  test('many at once with one right pairing code make one admin', async () => {
    const house = await startAccess();
    const code = await house.access.pairing.start();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        house.ask('/api/v1/pairing', {
          method: 'POST',
          body: { code, name: `user${at}`, password: adminPassword },
          headers: { origin: house.origin },
        }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(house.access.users()).toHaveLength(1);
  });
});

describe('roles', () => {
  test('every call is refused to nobody and to every lesser role, before anything is done', async () => {
    const asked: string[] = [];
    const operator = new Proxy({} as Operator, {
      get: (_target, name) => async () => void asked.push(String(name)),
    });
    const house = await startAccess({ routes: operatorRoutes(operator) });
    await pairedAdmin(house);
    const tokens = new Map<string, string>();
    for (const role of roles) {
      const { token } = await house.access.makeToken({ name: role, role, madeBy: 'ada', lifeMs: null });
      tokens.set(role, token);
    }
    let refused = 0;
    for (const { method, path, role } of house.routes) {
      if (role === 'open') continue;
      const url = path.replaceAll(/:\w+/g, 'ab'.repeat(16));
      const body = method === 'GET' || method === 'DELETE' ? {} : { body: {} };
      expect([
        path,
        (await house.ask(url, { method, ...body, headers: { origin: house.origin } })).status,
      ]).toEqual([path, 401]);
      for (const lesser of roles.slice(0, roles.indexOf(role))) {
        const headers = { authorization: `Bearer ${tokens.get(lesser) ?? ''}` };
        const answer = await house.ask(url, { method, ...body, headers });
        expect([path, lesser, answer.status, answer.json?.code]).toEqual([path, lesser, 403, 'AUTH_ROLE']);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(30);
    expect(asked).toEqual([]);
  });

  test('who lacks the role is written down: what for, from where, and once a minute however often', async () => {
    const { state, route } = countedRoute();
    const stream: ApiStream = {
      path: '/api/v1/events/tries',
      role: 'technician',
      summary: 'What is tried.',
      follow: () => () => undefined,
    };
    const house = await startAccess({ routes: [route], streams: [stream] });
    await pairedAdmin(house);
    const tell = { name: 'screen', role: 'viewer', madeBy: 'ada', lifeMs: null } as const;
    const { token } = await house.access.makeToken(tell);
    const headers = { authorization: `Bearer ${token}` };
    const refused = async (path: string, method = 'GET') => {
      const answer = await house.ask(path, { method, headers, ...(method === 'POST' && { body: {} }) });
      expect([path, answer.status, answer.json?.code]).toEqual([path, 403, 'AUTH_ROLE']);
    };
    const written = async () =>
      (await house.audit.read()).entries
        .filter(({ code }) => code === 'AUTH_ROLE')
        .map(({ event, actor, role, address, outcome, subject }) => [
          event,
          actor,
          role,
          address,
          outcome,
          subject,
        ]);
    for (let at = 0; at < 3; at += 1) {
      await refused('/api/v1/counted', 'POST');
      // Reading the list of users is not audited; trying to without the role is.
      await refused('/api/v1/users');
      await refused(stream.path);
    }
    const who = ['token screen', 'viewer', '127.0.0.1', 'failure'];
    const once = [
      ['COUNTED', ...who, null],
      ['ACCESS_REFUSED', ...who, 'GET /api/v1/users'],
      ['ACCESS_REFUSED', ...who, `GET ${stream.path}`],
    ];
    expect(await written()).toEqual(once);
    house.clock.pass(60_000);
    await refused('/api/v1/counted', 'POST');
    expect(await written()).toEqual([...once, once[0]]);
    expect(state.done).toBe(0);
  });

  test('a token needs no CSRF token, and is worth nothing once removed, over or changed', async () => {
    const { state, route } = countedRoute();
    const house = await startAccess({ routes: [route] });
    const admin = await pairedAdmin(house);
    const made = await house.ask('/api/v1/tokens', {
      method: 'POST',
      body: { name: 'monitor', role: 'technician', days: 1 },
      headers: admin.changing,
    });
    const { id, token } = made.json as { id: string; token: string };
    const use = async (secret: string) => {
      const headers = { authorization: `Bearer ${secret}` };
      return (await house.ask('/api/v1/counted', { method: 'POST', body: {}, headers })).status;
    };
    expect(await use(token)).toBe(200);
    expect(await use(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`)).toBe(401);
    // Beside a token that is not good, a good cookie is not looked at.
    const both = { ...admin.changing, authorization: 'Bearer gantry_wrong' };
    expect((await house.ask('/api/v1/counted', { method: 'POST', body: {}, headers: both })).status).toBe(
      401,
    );
    const listed = await house.ask('/api/v1/tokens', { headers: admin.reading });
    expect(listed.text).not.toContain(token);
    expect(house.storeFile.content?.toString()).toContain(id);
    expect(house.storeFile.content?.toString()).not.toContain(token);
    house.clock.pass(86_400_000);
    expect(await use(token)).toBe(401);
    const fresh = await house.access.makeToken({
      name: 'x',
      role: 'technician',
      madeBy: 'ada',
      lifeMs: null,
    });
    expect(await use(fresh.token)).toBe(200);
    await house.access.removeToken(fresh.id);
    expect(await use(fresh.token)).toBe(401);
    expect(state.done).toBe(2);
  });

  test('who is removed or changed is signed out; the last admin stays', async () => {
    const house = await startAccess();
    const admin = await pairedAdmin(house);
    const change = (method: string, path: string, body?: unknown) =>
      house.ask(path, { method, ...(body === undefined ? {} : { body }), headers: admin.changing });
    const tim = { name: 'tim', role: 'technician', password: 'seven slow snails' };
    expect((await change('POST', '/api/v1/users', tim)).status).toBe(204);
    expect((await change('POST', '/api/v1/users', tim)).json?.code).toBe('USER_EXISTS');
    const his = browserOf(house, await signIn(house, 'tim', tim.password));
    expect((await house.ask('/api/v1/users', { headers: his.reading })).status).toBe(403);
    await change('PUT', '/api/v1/users/tim', { role: 'viewer' });
    expect((await house.ask('/api/v1/users', { headers: his.reading })).status).toBe(401);
    expect((await change('DELETE', '/api/v1/users/ada')).json?.code).toBe('USER_LAST_ADMIN');
    expect((await change('PUT', '/api/v1/users/ada', { role: 'viewer' })).json?.code).toBe('USER_LAST_ADMIN');
    for (const password of ['short', 'aaaaaaaaaaaaaaaa', 'tim tim tim tim'])
      expect((await change('PUT', '/api/v1/users/tim', { password })).json?.code).toBe('USER_PASSWORD');
    expect((await change('DELETE', '/api/v1/users/tim')).status).toBe(204);
    expect((await signIn(house, 'tim', tim.password)).status).toBe(401);
  });

  test('users of the configuration sign in and are changed there alone', async () => {
    const { Passwords } = await import('../../src/crypto/password.ts');
    const passwordHash = await new Passwords({ ln: 4, r: 8, p: 1 }).hash(adminPassword);
    const house = await startAccess({ configured: { it: { role: 'admin', passwordHash } } });
    // There is an admin already: no pairing code.
    expect(await house.access.pairing.start()).toBeNull();
    const admin = browserOf(house, await signIn(house, 'it', adminPassword));
    for (const [method, path, body] of [
      ['PUT', '/api/v1/users/it', { role: 'viewer' }],
      ['DELETE', '/api/v1/users/it', undefined],
    ] as const) {
      const answer = await house.ask(path, { method, body, headers: admin.changing });
      expect(answer.json?.code).toBe('USER_CONFIGURED');
    }
  });
});

describe('a live stream', () => {
  test('is for its role alone, for so many at once, and ends when its follower is signed out', async () => {
    const senders = new Set<(event: string, data: unknown) => void>();
    const stream: ApiStream = {
      path: '/api/v1/events/tries',
      role: 'technician',
      summary: 'What is tried.',
      follow: (send) => {
        senders.add(send);
        return () => senders.delete(send);
      },
    };
    const house = await startAccess({ streams: [stream] });
    const admin = await pairedAdmin(house);
    const viewer = await house.access.makeToken({ name: 'v', role: 'viewer', madeBy: 'ada', lifeMs: null });
    expect((await house.ask(stream.path)).status).toBe(401);
    const lesser = await house.ask(stream.path, { headers: { authorization: `Bearer ${viewer.token}` } });
    expect(lesser.status).toBe(403);
    expect(senders.size).toBe(0);

    const follow = () => house.ask(stream.path, { headers: admin.reading });
    const following = [follow(), follow()];
    while (senders.size < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await follow()).status).toBe(503);
    for (const send of senders) send('try', { aeTitle: 'CT1\n\nevent: x' });
    await house.ask('/api/v1/session', { method: 'DELETE', headers: admin.changing });
    for (const { status, headers, text } of await Promise.all(following)) {
      expect([status, headers['content-type']]).toEqual([200, 'text/event-stream; charset=utf-8']);
      expect(headers['content-security-policy']).toMatch(/^default-src/);
      expect(text).toContain('event: try\ndata: {"aeTitle":"CT1\\n\\nevent: x"}\n\n');
    }
    while (senders.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

describe('markup', () => {
  const hostile = `<script>alert(1)</script>"'><img src=x>`;

  test('is no name, is not repeated, and is data where it is part of an answer', async () => {
    const route = apiRoute({
      method: 'GET',
      path: '/api/v1/hostile',
      role: 'viewer',
      summary: 'What a modality may call itself.',
      request: z.strictObject({}),
      response: z.object({ aeTitle: z.string() }),
      audit: null,
      handle: async () => ({ aeTitle: hostile, patientName: 'DOE^JANE' }) as { aeTitle: string },
    });
    const file = apiRoute({
      method: 'GET',
      path: '/api/v1/hostile-file',
      role: 'viewer',
      summary: 'A file.',
      request: z.strictObject({}),
      response: fileOf('text/plain'),
      audit: null,
      handle: async () => new ApiFile(`a"; x=\r\ny${hostile}`, Buffer.from(hostile)),
    });
    const house = await startAccess({ routes: [route, file] });
    const admin = await pairedAdmin(house);
    const added = await house.ask('/api/v1/users', {
      method: 'POST',
      body: { name: hostile, role: 'viewer', password: adminPassword },
      headers: admin.changing,
    });
    expect(added.status).toBe(400);
    expect(added.text).not.toContain('<script>');
    for (const path of [
      `/api/v1/${encodeURIComponent(hostile)}`,
      `/api/v1/users/${encodeURIComponent(hostile)}`,
    ]) {
      const answer = await house.ask(path, { headers: admin.reading });
      expect([answer.status, answer.headers['content-type']]).toEqual([
        404,
        'application/problem+json; charset=utf-8',
      ]);
      expect(answer.text).not.toContain('script');
    }
    const data = await house.ask('/api/v1/hostile', { headers: admin.reading });
    expect(data.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(data.headers['x-content-type-options']).toBe('nosniff');
    // What is not in the schema does not leave.
    expect(data.json).toEqual({ aeTitle: hostile });
    const download = await house.ask('/api/v1/hostile-file', { headers: admin.reading });
    expect(download.headers['content-disposition']).toMatch(/^attachment; filename="[\w.-]+"$/);
  });

  test('secrets and names nobody has are in no log line and no audit entry', async () => {
    const house = await startAccess();
    const code = await house.access.pairing.start();
    const secret = 'typed into the wrong field';
    await signIn(house, secret, 'x');
    await house.ask('/api/v1/pairing', {
      method: 'POST',
      body: { code, name: 'ada', password: adminPassword },
      headers: { origin: house.origin },
    });
    await signIn(house, 'ada', 'also a secret one');
    const { entries } = await house.audit.read();
    expect(entries.map(({ event, outcome }) => [event, outcome])).toEqual([
      ['SIGN_IN', 'failure'],
      ['PAIRING', 'success'],
      ['SIGN_IN', 'failure'],
    ]);
    const everything = JSON.stringify(entries) + house.logLines.join('\n');
    for (const text of [secret, adminPassword, 'also a secret one', code ?? '?'])
      expect(everything).not.toContain(text);
  });
});

test('a request too large, or no JSON, is turned away', async () => {
  const house = await startAccess();
  const post = (body: string) =>
    house.ask('/api/v1/session', { method: 'POST', body, headers: { origin: house.origin } });
  expect((await post(`{"name":"${'x'.repeat(200_000)}"}`)).status).toBe(413);
  expect((await post('{')).status).toBe(400);
  expect((await post('{"__proto__":{"name":"ada"}}')).status).toBe(400);
  expect((await post('{"name":["a"],"password":{}}')).status).toBe(400);
  expect((await post(JSON.stringify({ name: 'ada', password: 'x'.repeat(201) }))).status).toBe(400);
  expect(house.passwords.made).toBe(0);
});

test('the API`s document names every call, its role and what it takes', async () => {
  const house: AccessHarness = await startAccess();
  const { json } = await house.ask('/api/v1/openapi.json');
  expect(json.openapi).toBe('3.1.1');
  for (const { method, path, role } of house.routes) {
    const operation = json.paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
    expect([path, operation?.summary]).toEqual([path, expect.any(String)]);
    expect(operation['x-role']).toBe(role === 'open' ? undefined : role);
  }
  const user = json.paths['/api/v1/users/{name}'].put;
  expect(user.parameters).toMatchObject([{ name: 'name', in: 'path', required: true }]);
  expect(user.requestBody.content['application/json'].schema.properties).toHaveProperty('role');
});
