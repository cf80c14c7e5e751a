import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ApplyBench, applyBench, freePorts, untilSettled } from '../fixtures/apply-bench.ts';
import { type Central, enrolBench } from '../fixtures/enrolled-bench.ts';

/*
 * Configurations that would lock central IT, the modalities or the archive out: each signed and believed, offered to
 * running gateways of a fleet. Afterwards the one before is in use, and the devices never noticed.
 */

const boxes = 5;
const patienceMs = 240_000;

interface Place extends ApplyBench {
  /** A port that another program holds. */
  readonly taken: number;
  readonly free: number;
  readonly central: Central;
}

type Sections = Readonly<Record<string, unknown>>;
type LockOut = (bench: Place) => Sections;

function stow(more: object): Sections {
  const cloud = { type: 'stow', url: 'https://127.0.0.1:9/studies', auth: { type: 'none' }, ...more };
  return { destinations: { nas: cloud } };
}

function dimse(more: object): Sections {
  return { destinations: { pacs: { type: 'dimse', host: '127.0.0.1', port: 9, aeTitle: 'PACS', ...more } } };
}

const missing = '/nowhere/at/all.pem';

/** The archive cannot be reached, or does not know this box. */
const archives: LockOut[] = [
  () => stow({}),
  () => stow({ url: 'http://127.0.0.1:9/studies' }),
  () => stow({ url: 'https://archive.invalid/studies' }),
  () => stow({ url: 'http://archive.invalid/studies' }),
  () => stow({ proxy: { url: 'http://127.0.0.1:9' } }),
  () => stow({ proxy: { url: 'http://proxy.invalid:3128' } }),
  () => stow({ caFile: missing }),
  () => stow({ auth: { type: 'bearer', tokenFile: missing } }),
  () => stow({ auth: { type: 'mtls', certFile: missing, keyFile: missing } }),
  ({ ports }) => stow({ url: `http://127.0.0.1:${ports.web}/studies` }),
  ({ ports }) => stow({ url: `https://127.0.0.1:${ports.web}/studies` }),
  ({ ports }) => stow({ url: `http://127.0.0.1:${ports.dicom}/studies` }),
  ({ taken }) => stow({ url: `http://127.0.0.1:${taken}/studies` }),
  () => dimse({}),
  () => dimse({ host: 'pacs.invalid' }),
  ({ ports }) => dimse({ port: ports.web }),
  ({ ports }) => dimse({ port: ports.dicom, aeTitle: 'OTHER' }),
  () => dimse({ tls: { caFile: missing } }),
  ({ directory }) => ({ destinations: { nas: { type: 'folder', path: join(directory, 'not-there') } } }),
  ({ directory }) => ({ destinations: { nas: { type: 'folder', path: join(directory, 'unmarked') } } }),
];

/** Devices would be turned away, or find nobody. */
const devices: LockOut[] = [
  () => ({ modalities: {} }),
  () => ({ modalities: { ct1: { aeTitle: 'CT9' } } }),
  () => ({ modalities: { ct1: { aeTitle: 'ct1' } } }),
  () => ({ modalities: { ct1: { aeTitle: 'CT1', addresses: ['10.99.0.0/16'] } } }),
  () => ({ modalities: { ct1: { aeTitle: 'CT1', addresses: ['192.0.2.1'] } } }),
  () => ({ modalities: { mr1: { aeTitle: 'MR1' } } }),
  ({ taken }) => ({ intake: { port: taken } }),
  ({ ports }) => ({ intake: { port: ports.web } }),
  ({ free }) => ({ intake: { host: '192.0.2.7', port: free } }),
  () => ({ intake: { host: '192.0.2.7' } }),
  ({ free }) => ({ intake: { tls: { port: free, certFile: missing, keyFile: missing } } }),
  ({ taken }) => ({ intake: { tls: { port: taken } } }),
  ({ free, directory }) => ({
    intake: { tls: { port: free, certFile: join(directory, 'junk'), keyFile: join(directory, 'junk') } },
  }),
  ({ free }) => ({ intake: { tls: { port: free, clientCaFile: missing } } }),
  () => ({ spool: { reserveBytes: 1024 ** 4 } }),
];

/** The page would be gone. */
const pages: LockOut[] = [
  ({ taken }) => ({ web: { port: taken } }),
  ({ ports }) => ({ web: { port: ports.dicom } }),
  ({ free }) => ({ web: { host: '192.0.2.7', port: free } }),
  () => ({ web: { host: '192.0.2.7' } }),
  ({ taken }) => ({ web: { https: { port: taken } } }),
  ({ free }) => ({ web: { https: { port: free, certFile: missing, keyFile: missing } } }),
  ({ free, directory }) => ({
    web: { https: { port: free, certFile: join(directory, 'junk'), keyFile: join(directory, 'junk') } },
  }),
];

/** It is not one that this box could take. */
const invalid: LockOut[] = [
  () => ({ destinations: {} }),
  () => ({ routes: { default: { to: ['nobody'] } } }),
  () => ({ intake: { aeTitle: 'MUCH TOO LONG A TITLE' } }),
  () => ({ intake: { port: 70_000 } }),
  () => ({ site: { timeZone: 'Mars/Olympus' } }),
];

/** Central IT itself could not be reached any more: seen before, or only once it is in use. */
const lines: LockOut[] = [
  () => ({ remote: { https: { url: 'https://127.0.0.1:9/fleet' } } }),
  ({ ports }) => ({ remote: { https: { url: `http://127.0.0.1:${ports.web}/fleet` } } }),
  () => ({
    remote: { https: { url: 'https://127.0.0.1:9/fleet', proxy: { url: 'http://proxy.invalid:3128' } } },
  }),
];

const all = [...archives, ...devices, ...pages, ...invalid, ...lines];

async function enrolledBench(): Promise<Place> {
  const bench = await applyBench();
  const [free = 0] = await freePorts(1);
  const { createServer } = await import('node:net');
  const holder = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  holder.unref();
  await new Promise((resolve) => holder.once('listening', resolve));
  writeFileSync(join(bench.directory, 'junk'), 'no certificate');
  mkdirSync(join(bench.directory, 'unmarked'));
  const central = await enrolBench(bench, 'https');
  return Object.assign(Object.create(bench) as ApplyBench, {
    taken: (holder.address() as { port: number }).port,
    free,
    central,
  });
}

function documentOf(bench: ApplyBench, sections: Sections): unknown {
  const base = JSON.parse(bench.text()) as Sections;
  const whole = new Set(['modalities', 'destinations']);
  return {
    ...base,
    ...Object.fromEntries(
      Object.entries(sections).map(([name, section]) => [
        name,
        whole.has(name) ? section : { ...(base[name] as object | undefined), ...(section as object) },
      ]),
    ),
  };
}

async function settled(bench: ApplyBench, generation: number) {
  await expect
    .poll(() => bench.gateway.tools.config.history()[0]?.generation, { timeout: 60_000, interval: 50 })
    .toBe(generation);
  await untilSettled(bench);
  return bench.gateway.tools.config.history()[0];
}

/** C-ECHO all the time. @returns ends it and says how many failed */
function echoing(bench: ApplyBench): () => Promise<{ sent: number; failed: number }> {
  const count = { sent: 0, failed: 0 };
  const end = new AbortController();
  const done = (async () => {
    while (!end.signal.aborted) {
      count.sent += 1;
      if (!(await bench.echo())) count.failed += 1;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  })();
  return async () => {
    end.abort();
    await done;
    return count;
  };
}

describe('a configuration that locks somebody out', () => {
  it(
    `${all.length} of ${all.length} are back on the one before; the devices are answered all the time`,
    async () => {
      expect(all).toHaveLength(50);
      const left = [...all.entries()].toReversed();
      const outcomes: number[] = [];
      await Promise.all(
        Array.from({ length: boxes }, async () => {
          const bench = await enrolledBench();
          expect(await bench.echo()).toBe(true);
          const end = echoing(bench);
          let generation = 0;
          for (let next = left.shift(); next !== undefined; next = left.shift()) {
            const [number, lockOut] = next;
            generation += 1;
            const before = bench.gateway.tools.config.show();
            await bench.central.offer({ generation, config: documentOf(bench, lockOut(bench)) });
            const last = await settled(bench, generation);
            outcomes.push(number);
            expect(last?.phase, `lock-out ${number}`).toMatch(/^(?:Rejected|RolledBack)$/);
            const after = bench.gateway.tools.config.show();
            expect(after.document).toEqual(before.document);
            expect((await fetch(`http://127.0.0.1:${bench.ports.web}/livez`)).ok).toBe(true);
          }
          const { sent, failed } = await end();
          expect({ failed, enough: sent > 3 }).toEqual({ failed: 0, enough: true });
          const before = bench.gateway.tools.config.show().document;
          await bench.restart();
          expect(bench.gateway.tools.config.show().document).toEqual(before);
          expect(await bench.echo()).toBe(true);
        }),
      );
      expect(outcomes).toHaveLength(all.length);
    },
    patienceMs,
  );
});
