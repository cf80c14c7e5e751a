import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { fastify } from 'fastify';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Gateway } from '../../src/gateway.ts';
import { registerApi } from '../../src/web/api-registrar.ts';
import type { AuditedAction } from '../../src/web/audit-log.ts';
import { roles } from '../../src/web/api-route.ts';
import { sendThrown } from '../../src/web/problem.ts';
import { operatorRoutes } from '../../src/web/operator-routes.ts';
import { webLimits } from '../../src/web/server.ts';
import { toolRoutes, toolStreams } from '../../src/web/tool-routes.ts';
import { storeAll } from '../e2e/store-all.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { gatewayBench } from '../fixtures/running-gateway.ts';
import { fixed, helperBench } from '../helper/helper-bench.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

interface Api {
  readonly gateway: Gateway;
  readonly audited: AuditedAction[];
  readonly url: string;
  readonly bench: ReturnType<typeof gatewayBench>;
  readonly ask: (who: string | null, method: Method, path: string, body?: object) => Promise<Response>;
}

/** The calls on a server of their own, before the tools of a real gateway. A caller's token is its role. */
async function startApi(config: object = {}, bench = gatewayBench()): Promise<Api> {
  const gateway = await bench.start(config);
  const audited: AuditedAction[] = [];
  const app = fastify();
  app.setErrorHandler((error, _request, reply) => sendThrown(reply, error, silentLog));
  registerApi(app, {
    routes: [...toolRoutes(gateway.tools), ...operatorRoutes(gateway.operator)],
    streams: toolStreams(gateway.tools),
    streamLimits: webLimits,
    clock: systemClock,
    identify: ({ bearer }) => {
      const role = roles.find((one) => one === bearer);
      return role === undefined ? null : { name: `a ${role}`, role, csrfToken: null };
    },
    audit: async (action) => {
      audited.push(action);
    },
    log: silentLog,
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());
  return {
    gateway,
    audited,
    url,
    bench,
    ask: (who, method, path, body) =>
      fetch(`${url}${path}`, {
        method,
        headers: {
          ...(who !== null && { authorization: `Bearer ${who}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
  };
}

describe('the calls behind the tools', { timeout: 60_000 }, () => {
  test('each asks for the role it needs', async () => {
    const { gateway, ask } = await startApi();
    for (const { method, path, role } of toolRoutes(gateway.tools)) {
      const at = path.replace(/:\w+/, 'nas');
      const body = method === 'GET' ? undefined : {};
      expect((await ask(null, method, at, body)).status, path).toBe(method === 'GET' ? 401 : 403);
      expect(role).not.toBe('open');
      if (role !== 'viewer') expect((await ask('viewer', method, at, body)).status, path).toBe(403);
    }
    expect((await ask('viewer', 'GET', '/api/v1/events/associations')).status).toBe(403);
  });

  test('the machine: by the helper, which is told who asked', async () => {
    const helper = await helperBench();
    process.env['GANTRY_HELPER_SOCKET'] = helper.socketPath;
    const { ask, audited } = await startApi();
    delete process.env['GANTRY_HELPER_SOCKET'];
    expect((await ask('technician', 'PUT', '/api/v1/machine/network', fixed)).status).toBe(403);
    const set = await ask('admin', 'PUT', '/api/v1/machine/network', fixed);
    const change = (await set.json()) as { change: string };
    expect([set.status, change]).toEqual([200, { change: expect.any(String), confirmSeconds: 60 }]);
    const again = await ask('admin', 'PUT', '/api/v1/machine/network', fixed);
    expect(await again.json()).toMatchObject({ code: 'HELPER_NETWORK_TRYING' });
    const { change: id } = change;
    expect((await ask('admin', 'POST', '/api/v1/machine/network/confirm', { change: id })).status).toBe(200);
    expect((await ask('technician', 'POST', '/api/v1/machine/reboot')).status).toBe(200);
    expect(await (await ask('technician', 'POST', '/api/v1/machine/blink')).json()).toMatchObject({
      code: 'HELPER_NO_LIGHT',
    });
    expect(helper.called().at(-1)).toBe('systemctl --no-block reboot');
    expect(helper.audit().map(({ by, outcome }) => `${by}: ${outcome}`)).toEqual([
      'a admin: asked',
      'a admin: done',
      'a admin: asked',
      'a admin: HELPER_NETWORK_TRYING',
      'a admin: asked',
      'a admin: done',
      'a technician: asked',
      'a technician: done',
      'a technician: asked',
      'a technician: HELPER_NO_LIGHT',
    ]);
    expect(audited.map(({ event, outcome, subject }) => [event, outcome, subject])).toEqual(
      expect.arrayContaining([
        ['NETWORK_CHANGED', 'success', 'eth0'],
        ['NETWORK_CHANGED', 'failure', 'eth0'],
        ['REBOOT_ASKED', 'success', null],
      ]),
    );
  });

  test('modalities: who tried, letting one in, replacing it, testing it; each change is audited', async () => {
    const { ask, audited } = await startApi();
    const allowed = await ask('technician', 'POST', '/api/v1/modalities', {
      name: 'ct9',
      aeTitle: 'CT9',
      addresses: ['10.4.1.57'],
    });
    expect([allowed.status, await allowed.json()]).toEqual([200, { generation: 2 }]);
    const replaced = await ask('technician', 'PUT', '/api/v1/modalities/ct9', {
      aeTitle: 'CT10',
      addresses: [],
      host: '127.0.0.1',
      port: 9,
    });
    expect(replaced.status).toBe(200);
    expect(await (await ask('technician', 'POST', '/api/v1/modalities/ct9/echo')).json()).toMatchObject({
      ok: false,
      code: 'ECONNREFUSED',
    });
    const wrong = await ask('technician', 'POST', '/api/v1/modalities', { name: '../x', aeTitle: 'X' });
    expect([wrong.status, await wrong.json()]).toEqual([
      422,
      expect.objectContaining({ code: 'CONFIG_CHANGE_INVALID' }),
    ]);
    expect(
      audited.map(({ event, actor, outcome, code, subject }) => [event, actor, outcome, code, subject]),
    ).toEqual([
      ['MODALITY_ALLOWED', 'a technician', 'success', null, 'ct9: CT9 from 10.4.1.57'],
      ['MODALITY_REPLACED', 'a technician', 'success', null, 'ct9: CT10 from any address'],
      ['MODALITY_TESTED', 'a technician', 'success', null, 'ct9'],
      ['MODALITY_ALLOWED', 'a technician', 'failure', 'CONFIG_CHANGE_INVALID', '../x: X from any address'],
    ]);
  });

  test('attempts and callers as lists, and attempts as they come', async () => {
    const { ask, gateway } = await startApi();
    const stream = await ask('technician', 'GET', '/api/v1/events/associations');
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    const [slice] = [ctSlice({ rows: 16, columns: 16, seed: 1 })];
    await storeAll(gateway.ports.dicom, [slice], 'STRANGER').catch(() => undefined);
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('"callingAeTitle":"STRANGER"')) text += (await reader?.read())?.value ?? '';
    await reader?.cancel();
    expect(text).toContain('event: association\n');
    expect(await (await ask('viewer', 'GET', '/api/v1/associations')).json()).toMatchObject({
      associations: [{ outcome: 'rejected', code: 'CALLING_AE_TITLE' }],
    });
    expect(await (await ask('viewer', 'GET', '/api/v1/callers')).json()).toMatchObject({
      callers: [{ summary: '127.0.0.1 tried once as STRANGER.' }],
    });
  });

  test('destinations: pause and resume, the line, a test study only where it is allowed', async () => {
    const { ask, audited, gateway } = await startApi();
    expect((await ask('technician', 'POST', '/api/v1/destinations/nas/pause', {})).status).toBe(200);
    expect((await gateway.status()).destinations['nas']?.state).toBe('paused');
    expect((await ask('technician', 'POST', '/api/v1/destinations/nas/resume', {})).status).toBe(200);
    expect((await gateway.status()).destinations['nas']?.state).not.toBe('paused');
    const line = await ask('technician', 'POST', '/api/v1/line-test', { destination: 'nas' });
    expect(await line.json()).toMatchObject({ ok: true, steps: [{ step: 'mount' }, { step: 'write' }] });
    const refused = await ask('technician', 'POST', '/api/v1/destinations/nas/test-study', {});
    expect(await refused.json()).toMatchObject({ code: 'TEST_STUDY_NOT_ALLOWED' });
    expect(audited.map(({ event, subject }) => `${event} ${subject}`)).toEqual([
      'DESTINATION_PAUSED nas',
      'DESTINATION_RESUMED nas',
      'LINE_TESTED nas',
      'TEST_STUDY_SENT nas',
    ]);
  });

  test('what a removed destination was to get is sent to another one', async () => {
    const bench = gatewayBench();
    const nas = { type: 'folder', path: bench.folder };
    const gone = { type: 'folder', path: join(bench.directory, 'not-there') };
    const first = await bench.start({ destinations: { gone } });
    await storeAll(first.ports.dicom, [ctSlice({ rows: 16, columns: 16, seed: 4 })]);
    await bench.until(({ queue }) => queue.instances === 1);
    await bench.stop();

    const { ask, audited } = await startApi({ destinations: { nas } }, bench);
    const redirect = async () => {
      const body = { destination: 'gone', to: 'nas' };
      return (await ask('technician', 'POST', '/api/v1/queue/redirect', body)).json();
    };
    expect(await redirect()).toEqual({ count: 1 });
    await bench.until(({ destinations }) => destinations['nas']?.verified === 1);
    expect(await redirect()).toEqual({ count: 0 });
    const forgotten = await ask('technician', 'DELETE', '/api/v1/abilities/nas');
    expect(await forgotten.json()).toEqual({ count: 0 });
    expect(audited.map(({ event, subject }) => `${event} ${subject}`)).toEqual([
      'QUEUE_RELEASE gone to nas',
      'QUEUE_RELEASE gone to nas',
      'ABILITIES_FORGOTTEN nas',
    ]);
  });

  test('studies: list and timeline without patient data; whose it is only by an audited call', async () => {
    const { ask, audited, gateway, bench } = await startApi();
    const slice = ctSlice({ rows: 16, columns: 16, seed: 4 });
    await storeAll(gateway.ports.dicom, [slice]);
    await bench.until(({ totals }) => totals.verified === 1);
    const page = await (await ask('technician', 'GET', '/api/v1/studies?limit=5')).text();
    const { studyKey } = (JSON.parse(page) as { studies: [{ studyKey: string }] }).studies[0];
    const detail = await (await ask('technician', 'GET', `/api/v1/studies/${studyKey}`)).text();
    expect(JSON.parse(detail)).toMatchObject({
      received: 1,
      timeline: [{ moment: 'first-received' }, {}, {}, {}, {}],
    });
    expect(audited).toEqual([]);
    const revealed = await ask('technician', 'POST', `/api/v1/studies/${studyKey}/reveal`, {});
    const identity = (await revealed.json()) as { PatientName: string; PatientID: string };
    expect(revealed.headers.get('cache-control')).toBe('no-store');
    expect(audited).toMatchObject([{ event: 'STUDY_REVEALED', subject: studyKey, actor: 'a technician' }]);
    for (const needle of [identity.PatientName, identity.PatientID]) {
      expect(needle).toMatch(/\w/);
      expect(page + detail + JSON.stringify(audited)).not.toContain(needle);
    }
    expect((await ask('technician', 'GET', '/api/v1/studies/nonsense')).status).toBe(400);
  });

  test('network facts, the bundle with its contents, the report to print', async () => {
    const { ask } = await startApi();
    expect(await (await ask('viewer', 'GET', '/api/v1/network')).json()).toHaveProperty('clock.trusted');
    const contents = await ask('technician', 'GET', '/api/v1/support-bundle/contents');
    expect(await contents.json()).toMatchObject({ parts: expect.arrayContaining([]) as object[] });
    const bundle = await ask('technician', 'POST', '/api/v1/support-bundle', {});
    expect(bundle.headers.get('content-disposition')).toContain('gantry-support.tar.gz');
    expect(gunzipSync(Buffer.from(await bundle.arrayBuffer())).includes('gantry-support/CONTENTS.txt')).toBe(
      true,
    );
    const report = await ask('technician', 'GET', '/api/v1/commissioning-report');
    const html = await report.text();
    expect(html).toContain('<h1>Commissioning report</h1>');
    expect(html).toContain('Every step works: mount, write.');
    expect(html).toMatch(/ct1 \(CT1\)<\/th><td>never heard/);
  });
});
