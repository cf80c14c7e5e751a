import { describe, expect, onTestFinished, test } from 'vitest';
import type { Notice } from '../../src/health/notifier.ts';
import { bodyOf, httpServer } from '../archive/fault-server.ts';
import { gatewayBench } from '../fixtures/running-gateway.ts';
import { patienceMs } from './peers.ts';

describe('notices of a running gateway', { timeout: patienceMs }, () => {
  test('a paused destination is told, and that it was resumed; once each, over a restart', async () => {
    const notices: Notice[] = [];
    const server = await httpServer(async (request, response) => {
      notices.push(JSON.parse((await bodyOf(request)).toString()) as Notice);
      response.writeHead(204).end();
    });
    onTestFinished(() => server.stop());
    const bench = gatewayBench();
    const config = { notify: { webhook: { url: server.url }, holdSeconds: 0 } };
    const until = async (count: number) => {
      while (notices.length < count) await new Promise((resolve) => setTimeout(resolve, 100));
    };
    const gateway = await bench.start(config);
    await gateway.tools.destinations.pause('nas', 'anna');
    await until(1);
    await bench.stop();
    const again = await bench.start(config);
    await again.tools.destinations.resume('nas');
    await until(2);
    expect(notices).toMatchObject([
      {
        kind: 'start',
        verdict: 'degraded',
        reason: expect.stringContaining('paused by an operator') as string,
      },
      { kind: 'end', verdict: 'working', nextStep: null },
    ]);
  });
});
