import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import { Gateway } from '../../src/gateway.ts';
import { command } from './command.ts';

const password = 'four quiet herons wade';

interface Box {
  readonly folder: string;
  readonly lines: string[];
  start(more?: object): Promise<Gateway>;
}

async function makeBox(): Promise<Box> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-auth-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const lines: string[] = [];
  const start = async (more: object = {}) => {
    const gateway = await Gateway.start({
      dataDirectory: join(folder, 'data'),
      configText: JSON.stringify({
        intake: { host: '127.0.0.1', port: 0 },
        spool: { reserveBytes: 50_000_000, preparedBytes: 0 },
        destinations: { nas: { type: 'folder', path: join(folder, 'nas') } },
        web: { host: '127.0.0.1', port: 0 },
        ...more,
      }),
      log: createLog('info', { write: (line) => void lines.push(line) }),
    });
    onTestFinished(() => gateway.stop());
    return gateway;
  };
  return { folder, lines, start };
}

async function post(
  gateway: Gateway,
  path: string,
  body: object,
): Promise<{ status: number; json: Record<string, unknown>; cookie: string }> {
  const port = gateway.ports.webHttps ?? 0;
  const text = JSON.stringify(body);
  const request = httpsRequest({
    host: '127.0.0.1',
    port,
    path,
    method: 'POST',
    rejectUnauthorized: false,
    agent: false,
    headers: { 'content-type': 'application/json', origin: `https://127.0.0.1:${port}` },
  });
  request.end(text);
  const [response] = await once(request, 'response');
  let received = '';
  for await (const chunk of response.setEncoding('utf8')) received += chunk;
  const cookie = String(response.headers['set-cookie'] ?? '').split(';')[0] ?? '';
  return { status: response.statusCode, json: JSON.parse(received), cookie };
}

function pairingCode(lines: readonly string[]): string {
  const line = lines.findLast((one) => one.includes('"event":"pairing"')) ?? '{}';
  return String((JSON.parse(line) as { pairingCode?: string }).pairingCode);
}

test('the code of the log makes the first admin, who is there after a restart; reset makes another one', async () => {
  const box = await makeBox();
  const data = join(box.folder, 'data');
  const first = await box.start();
  const code = pairingCode(box.lines);
  const paired = await post(first, '/api/v1/pairing', { code, name: 'ada', password });
  expect([paired.status, paired.json['user'], paired.json['role']]).toEqual([200, 'ada', 'admin']);

  // On the running gateway.
  const reset = await command('auth', 'reset', '--data', data);
  const second = /Pairing code: (\S+)/.exec(reset.stdout)?.[1] ?? '';
  const bob = await post(first, '/api/v1/pairing', { code: second, name: 'bob', password });
  expect([bob.status, bob.json['role']]).toEqual([200, 'admin']);
  await first.stop();

  // On the stopped one.
  const offline = await command('auth', 'reset', '--data', data);
  const third = /Pairing code: (\S+)/.exec(offline.stdout)?.[1] ?? '';
  box.lines.length = 0;
  const again = await box.start();
  expect(box.lines.join('')).not.toContain('"event":"pairing"');
  expect((await post(again, '/api/v1/session', { name: 'ada', password })).status).toBe(200);
  const lost = await post(again, '/api/v1/pairing', {
    code: third,
    name: 'ada',
    password: 'another four quiet herons',
  });
  expect(lost.status).toBe(200);
  expect((await post(again, '/api/v1/session', { name: 'ada', password })).status).toBe(401);
  // Nothing of it lies in clear on the disk.
  const state = await readFile(join(data, 'access', 'state'), 'latin1');
  expect([state.includes('ada'), state.includes('scrypt')]).toEqual([false, false]);
});

test('a technician code signs a visitor in: made on the box, or with a key of the configuration', async () => {
  const box = await makeBox();
  const key = join(box.folder, 'vendor.key');
  const made = await command('auth', 'keygen', key);
  expect((await stat(key)).mode & 0o777).toBe(0o600);
  expect((await command('auth', 'keygen', key)).code).not.toBe(0);
  const gateway = await box.start({ access: { technicianKeys: { vendor: made.stdout.trim() } } });
  const data = join(box.folder, 'data');

  const own = await command('auth', 'code', '--name', 'Kim', '--data', data);
  const inside = await post(gateway, '/api/v1/session/code', { code: own.stdout });
  expect([inside.status, inside.json['role'], inside.json['user']]).toEqual([
    200,
    'technician',
    'Kim (code of this box)',
  ]);

  const wrongBox = await command('auth', 'code', '--name', 'Kim', '--key', key, '--box', 'GANTRY-222222');
  const elsewhere = await post(gateway, '/api/v1/session/code', { code: wrongBox.stdout });
  expect([elsewhere.status, elsewhere.json['code']]).toEqual([401, 'AUTH_CODE_BOX']);
  const id = JSON.parse(Buffer.from(own.stdout.split('.')[0] ?? '', 'base64url').toString())[0] as string;
  const right = await command('auth', 'code', '--name', 'Kim', '--key', key, '--box', id);
  const outside = await post(gateway, '/api/v1/session/code', { code: right.stdout });
  expect([outside.status, outside.json['user']]).toEqual([200, 'Kim (code of vendor)']);
  expect((await command('auth', 'code', '--name', 'Kim', '--key', key)).stderr).toContain('USAGE_CODE');
});
