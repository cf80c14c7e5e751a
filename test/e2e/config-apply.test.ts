import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyBench, freePorts, untilSettled } from '../fixtures/apply-bench.ts';

const waitMs = 60_000;

describe('another configuration on a running gateway', () => {
  it(
    'is in use at once, and kept where nothing is worse: over a restart too',
    async () => {
      const bench = await applyBench();
      const [web = 0] = await freePorts(1);
      const second = join(bench.directory, 'second');
      mkdirSync(second);
      writeFileSync(join(second, '.gantry-folder'), '');
      expect(await bench.echo()).toBe(true);
      await bench.gateway.tools.config.apply(
        bench.text({
          site: { name: 'South', timeZone: 'Europe/Berlin' },
          destinations: { other: { type: 'folder', path: second } },
          web: { port: web },
          compression: { mode: 'always' },
          modalities: { mr1: { aeTitle: 'MR1' } },
          intake: { limits: { associationsMax: 7 } },
        }),
        null,
      );
      await untilSettled(bench);
      const status = (await (await fetch(`http://127.0.0.1:${web}/api/v1/status`)).json()) as object;
      expect(status).toMatchObject({
        site: { name: 'South' },
        config: { generation: 2, origin: 'file', central: { phase: 'idle', confirmUntil: null } },
        intake: { associationsMax: 7 },
        modalities: { mr1: {} },
        destinations: { nas: {}, other: {} },
        compression: { mode: 'always' },
      });
      await expect(fetch(`http://127.0.0.1:${bench.ports.web}/livez`)).rejects.toThrow();
      expect(await bench.echo()).toBe(true);
      await bench.restart();
      expect((await bench.gateway.status()).site.name).toBe('South');
    },
    waitMs,
  );

  it(
    'moves the port and the title, and keeps the old ones for who called lately',
    async () => {
      const bench = await applyBench();
      const { config } = bench.gateway.tools;
      const [dicom = 0] = await freePorts(1);
      expect(await bench.echo()).toBe(true);
      await config.apply(bench.text({ intake: { port: dicom, aeTitle: 'NEW' } }), null);
      await untilSettled(bench);
      expect(config.show().keptOpen.toSorted()).toEqual(['GANTRY', `port ${bench.ports.dicom}`].toSorted());
      expect(await bench.echo()).toBe(true);
      await bench.restart();
      expect(await bench.echo()).toBe(true);
      expect(await bench.echo(dicom, 'NEW')).toBe(true);
      // It has found the new way: nobody needs the old one any more.
      await expect.poll(() => bench.gateway.tools.config.show().keptOpen).toEqual([]);
      await expect.poll(() => bench.echo()).toBe(false);
      expect(await bench.echo(dicom, 'NEW')).toBe(true);
    },
    waitMs,
  );

  it(
    'goes back when nobody confirms it, when somebody takes it back, and when the process ends',
    async () => {
      const bench = await applyBench();
      const other = bench.text({ site: { name: 'Tried' }, modalities: { mr1: { aeTitle: 'MR1' } } });
      const siteName = async () => (await bench.gateway.status()).site.name;
      await bench.gateway.tools.config.apply(other, 1);
      expect(await siteName()).toBe('Tried');
      await untilSettled(bench);
      expect(await siteName()).toBe('Gantry');
      expect(bench.gateway.tools.config.history()[0]?.error?.code).toBe('APPLY_NOT_CONFIRMED');

      await bench.gateway.tools.config.apply(other, 600);
      await bench.gateway.tools.config.rollback();
      expect(await siteName()).toBe('Gantry');

      await bench.gateway.tools.config.apply(other, 600);
      expect(await siteName()).toBe('Tried');
      await bench.restart();
      expect(await siteName()).toBe('Gantry');
      expect(bench.gateway.tools.config.history()[0]?.error?.code).toBe('APPLY_INTERRUPTED');

      await bench.gateway.tools.config.apply(other, 600);
      await bench.gateway.tools.config.confirm();
      await bench.restart();
      expect(await siteName()).toBe('Tried');
    },
    waitMs,
  );
});
