import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { command } from '../cli/command.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { launchGateway } from '../fixtures/gateway-process.ts';
import { gatewayBench } from '../fixtures/running-gateway.ts';
import { until } from '../fixtures/until.ts';
import { patienceMs } from './peers.ts';

test('a gateway that knows nobody answers itself, and is no caller of its own', {
  timeout: patienceMs,
}, async () => {
  const bench = gatewayBench();
  const gateway = await bench.start({ modalities: {} });
  const data = join(bench.directory, 'data');
  const { code, stdout } = await command('self-check', '--data', data);
  expect(stdout).toMatch(/association +ok .*\nspool +ok .*\nledger +ok /);
  expect(code).toBe(0);
  expect(gateway.tools.modalities.attempts()).toEqual([]);
  expect(gateway.tools.modalities.unknownCallers()).toEqual([]);
  const { intake, modalities } = await gateway.status();
  expect({ refusals: intake.refusals, modalities }).toEqual({ refusals: [], modalities: {} });
});

test('systemd is told that the service is ready, alive and stopping', { timeout: patienceMs }, async () => {
  using directory = temporaryDirectory();
  const programs = join(directory.path, 'bin');
  const told = join(directory.path, 'told');
  mkdirSync(programs);
  writeFileSync(join(programs, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${told}\n`, { mode: 0o700 });
  const gateway = await launchGateway(
    join(directory.path, 'data'),
    { destinations: { cloud: { type: 'stow', url: 'http://127.0.0.1:9/studies' } } },
    {
      wrapper: [
        'env',
        `PATH=${programs}:${process.env['PATH']}`,
        'NOTIFY_SOCKET=/run/systemd/notify',
        'WATCHDOG_USEC=600000',
      ],
    },
  );
  onTestFinished(() => void gateway.kill());
  const lines = (): string[] => readFileSync(told, 'utf8').trim().split('\n');
  await until(() => lines().length >= 3);
  expect(await gateway.stop()).toBe(0);
  const [first, second] = lines();
  expect(first).toMatch(/^READY=1 STATUS=(?:working|degraded): ./);
  expect(second).toMatch(/^WATCHDOG=1 STATUS=/);
  expect(lines().at(-1)).toBe('STOPPING=1');
});
