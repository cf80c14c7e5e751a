import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { gatewayBench } from '../fixtures/running-gateway.ts';
import { until } from '../fixtures/until.ts';
import { helperBench } from '../helper/helper-bench.ts';

test('a gateway brings its appliance to the version that its configuration names, by the helper', async () => {
  const bytes = randomBytes(200_000);
  const server = createServer((_request, response) => response.end(bytes)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const helper = await helperBench();
  process.env['GANTRY_HELPER_SOCKET'] = helper.socketPath;
  onTestFinished(() => void delete process.env['GANTRY_HELPER_SOCKET']);
  const bench = gatewayBench();
  await bench.start();
  await bench.stop();

  const updates = join(bench.directory, 'data', 'updates');
  mkdirSync(updates);
  symlinkSync(updates, helper.path('updates'));
  const systemSays = (version: string, last: object | null) =>
    writeFileSync(join(updates, 'system.json'), JSON.stringify({ version, slot: 'A', last }));
  systemSays('1.0.0', null);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/gantry-2.0.0.raucb`;
  await bench.start({ update: { version: '2.0.0', url, sha256, windows: [] } });
  await until(() => helper.called().some((call) => call.includes('reboot')));
  expect(helper.called()).toEqual([
    `rauc install ${join(helper.path('updates'), `gantry-${sha256.slice(0, 16)}.raucb`)}`,
    'systemctl --no-block reboot',
  ]);
  expect(helper.audit().map(({ by, request }) => [by, request.verb])).toContainEqual([
    'configuration',
    'install',
  ]);
  await bench.until(({ update }) => update?.phase === 'restarting');
  await bench.stop();

  systemSays('2.0.0', { outcome: 'good', words: 'The new version is in use.', at: '2026-01-02T10:05:00Z' });
  await bench.start({ update: { version: '2.0.0', url, sha256, windows: [] } });
  const { update } = await bench.until((status) => status.update?.phase === 'in-use');
  expect(update).toEqual({ wanted: '2.0.0', running: '2.0.0', phase: 'in-use', failure: null });
  expect(helper.called()).toHaveLength(2);
});
