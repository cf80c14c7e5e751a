import { expect, test } from 'vitest';
import { createLog, silentLog } from '../../src/base/log.ts';
import { type CpuTimes, type MachineSources, Probes } from '../../src/health/probes.ts';

function sources(parts: Partial<MachineSources>): MachineSources {
  return {
    cpuTimes: () => ({ busyMs: 0, totalMs: 0 }),
    memory: async () => ({ usedBytes: 1000, totalBytes: 4000 }),
    temperature: async () => 41,
    ...parts,
  };
}

test('load is what was busy between two looks; the temperature is asked for rarely', async () => {
  const times: CpuTimes[] = [
    { busyMs: 100, totalMs: 1000 },
    { busyMs: 150, totalMs: 1200 },
  ];
  let asked = 0;
  const probes = new Probes({
    log: silentLog,
    sources: sources({
      cpuTimes: () => times.shift() ?? { busyMs: 0, totalMs: 0 },
      temperature: async () => {
        asked += 1;
        return 41;
      },
    }),
  });
  expect(probes.current()).toBeNull();
  await probes.sample();
  expect(probes.current()).toMatchObject({
    cpuLoadPercent: 10,
    memoryUsedBytes: 1000,
    temperatureCelsius: 41,
  });
  await probes.sample();
  expect(probes.current()).toMatchObject({
    cpuLoadPercent: 25,
    memoryTotalBytes: 4000,
    temperatureCelsius: 41,
  });
  expect(probes.current()?.processRssBytes).toBeGreaterThan(1_000_000);
  expect(asked).toBe(1);
});

test('no sensor is no figure; no memory figure is no report, said once, until it comes back', async () => {
  let failing = true;
  const said: string[] = [];
  const probes = new Probes({
    log: createLog('warn', { write: (line) => said.push(line) }),
    sources: sources({
      temperature: () => Promise.reject(new Error('no sensor')),
      memory: async () => {
        if (failing) throw new Error('unreadable');
        return { usedBytes: 1, totalBytes: 2 };
      },
    }),
  });
  await probes.sample();
  await probes.sample();
  expect(probes.current()).toBeNull();
  expect(said).toHaveLength(1);
  failing = false;
  await probes.sample();
  expect(probes.current()).toMatchObject({ memoryUsedBytes: 1, temperatureCelsius: null });
});

test('a slow machine is asked once at a time', async () => {
  const answer = Promise.withResolvers<{ usedBytes: number; totalBytes: number }>();
  let asked = 0;
  const probes = new Probes({
    log: silentLog,
    sources: sources({
      memory: () => {
        asked += 1;
        return answer.promise;
      },
    }),
  });
  const both = [probes.sample(), probes.sample()];
  answer.resolve({ usedBytes: 1, totalBytes: 2 });
  await Promise.all(both);
  expect(asked).toBe(1);
});

test('this machine answers', async () => {
  const probes = new Probes({ log: silentLog });
  probes.start();
  await probes.sample();
  probes.stop();
  const report = probes.current();
  expect(report?.memoryTotalBytes).toBeGreaterThan(report?.memoryUsedBytes ?? Infinity);
  expect(report?.cpuLoadPercent).toBeGreaterThanOrEqual(0);
  expect(report?.uptimeSeconds).toBeGreaterThan(0);
});
