import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command } from '../cli/command.ts';
import { fleetFolder } from '../fleet/desk-folder.ts';
import { writeReports } from '../fleet/desk-reports.ts';
import { type ApplyBench, applyBench } from '../fixtures/apply-bench.ts';
import { type Central, enrolBench } from '../fixtures/enrolled-bench.ts';
import { device } from '../fixtures/fleet-kit.ts';

/* What central IT sends to a running gateway, when that is put in use, and what was set on the box over it. */

const waitMs = 60_000;
const hourMs = 3_600_000;

/** The system's clock, that many hours on. */
function shiftedClock() {
  const clock = {
    hours: 0,
    now: () => Date.now() + clock.hours * hourMs,
    monotonic: () => performance.now(),
  };
  return clock;
}

function configOf(bench: ApplyBench, sections: Parameters<ApplyBench['text']>[0] = {}): unknown {
  return JSON.parse(bench.text(sections));
}

async function centralOf({ gateway }: ApplyBench) {
  const { central } = (await gateway.status()).config;
  if (central === undefined) throw new Error('nothing is said of central IT');
  return central;
}

async function inUse(bench: ApplyBench, generation: number): Promise<void> {
  await expect
    .poll(async () => (await centralOf(bench)).generation, { timeout: waitMs, interval: 50 })
    .toBe(generation);
  await expect.poll(async () => (await centralOf(bench)).phase, { timeout: waitMs }).toBe('idle');
}

test(
  'what is for a window waits for it, by the clock of the site; what is for a person waits for one',
  async () => {
    const clock = shiftedClock();
    const bench = await applyBench(clock);
    const central = await enrolBench(bench);
    // Opens in three hours at the site, which is not where UTC is.
    const timeZone = 'Asia/Kathmandu';
    const opens = new Date(Math.ceil((Date.now() + 3 * hourMs) / hourMs) * hourMs);
    const at = (time: Date) =>
      new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone }).format(time);
    const window = { days: '*', from: at(opens), to: at(new Date(opens.getTime() + hourMs)) };
    const remote = { applyWindows: [window] };
    const site = (name: string) => ({ site: { name, timeZone }, remote });
    await central.offer({ generation: 1, config: configOf(bench, site('First')) });
    await inUse(bench, 1);

    await central.offer({
      generation: 2,
      config: configOf(bench, site('Second')),
      apply: { when: 'window' },
    });
    expect((await centralOf(bench)).waiting).toEqual({
      generation: 2,
      when: 'window',
      opensAt: opens.toISOString(),
    });
    expect((await central.report()).config).toMatchObject({ phase: 'Pending', appliedGeneration: 1 });
    await bench.restart();
    expect((await bench.gateway.status()).site.name).toBe('First');
    clock.hours = 4;
    await inUse(bench, 2);
    expect((await bench.gateway.status()).site.name).toBe('Second');

    await central.offer({ generation: 3, config: configOf(bench, site('Third')), apply: { when: 'manual' } });
    expect((await centralOf(bench)).waiting).toEqual({ generation: 3, when: 'manual', opensAt: null });
    clock.hours = 28;
    await bench.restart();
    expect((await bench.gateway.status()).site.name).toBe('Second');
    await bench.gateway.tools.config.applyWaiting();
    await inUse(bench, 3);
    expect((await bench.gateway.status()).site.name).toBe('Third');
  },
  waitMs,
);

test(
  'what waits is believed again by the trust of the day: with its signer it goes, and signed anew it is taken',
  async () => {
    const bench = await applyBench();
    const central = await enrolBench(bench);
    await central.offer({ generation: 1, config: configOf(bench) });
    await inUse(bench, 1);
    const waits = {
      generation: 2,
      config: configOf(bench, { site: { name: 'Waits', timeZone: 'UTC' } }),
      apply: { when: 'manual' },
    };
    await central.offer(waits);
    await central.rotate();
    const { config } = bench.gateway.tools;
    await expect(config.applyWaiting()).rejects.toMatchObject({ code: 'FLEET_SIGNATURE' });
    expect(await centralOf(bench)).toMatchObject({ generation: 1, waiting: null });
    expect((await central.report()).refused).toMatchObject([{ code: 'FLEET_SIGNATURE' }]);

    await central.offer(waits);
    await config.applyWaiting();
    await inUse(bench, 2);
    expect((await bench.gateway.status()).site.name).toBe('Waits');
  },
  waitMs,
);

test(
  'what was set on the box stays over what central IT sends, until central IT takes it back',
  async () => {
    const bench = await applyBench();
    const central = await enrolBench(bench);
    const { tools } = bench.gateway;
    await central.offer({ generation: 1, config: configOf(bench) });
    await inUse(bench, 1);
    await tools.site.change({ timeZone: 'Europe/Madrid' });
    await tools.modalities.allow('mr1', { aeTitle: 'MR1', addresses: ['127.0.0.1'] });
    expect(await bench.gateway.status()).toMatchObject({
      site: { timeZone: 'Europe/Madrid' },
      config: { central: { overrides: ['site.timeZone', 'modalities.mr1'] } },
    });
    const overrides = {
      '/site/timeZone': 'Europe/Madrid',
      '/modalities/mr1': { aeTitle: 'MR1', addresses: ['127.0.0.1'] },
    };
    expect((await central.report()).config.localOverrides).toEqual(overrides);

    const renamed = { site: { name: 'Renamed', timeZone: 'Europe/Berlin' } };
    await central.offer({ generation: 2, config: configOf(bench, renamed) });
    await inUse(bench, 2);
    expect(await bench.gateway.status()).toMatchObject({
      site: { name: 'Renamed', timeZone: 'Europe/Madrid' },
      modalities: { mr1: {} },
    });
    expect((await central.report()).config.localOverrides).toEqual(overrides);

    const config = configOf(bench, renamed);
    await central.offer({ generation: 3, config, clearOverrides: ['/site/timeZone'] });
    await inUse(bench, 3);
    expect((await bench.gateway.status()).site.timeZone).toBe('Europe/Berlin');
    expect(Object.keys((await central.report()).config.localOverrides)).toEqual(['/modalities/mr1']);

    // Central IT keeps all of it to itself from now on.
    const strict = { ...renamed, remote: { localSettings: [] } };
    await central.offer({ generation: 4, config: configOf(bench, strict) });
    await inUse(bench, 4);
    expect((await central.report()).config.localOverrides).toEqual({});
    expect(Object.keys((await bench.gateway.status()).modalities)).toEqual(['ct1']);
    const kept = { code: 'CONFIG_NOT_LOCAL' };
    await expect(bench.gateway.tools.site.change({ name: 'Mine' })).rejects.toMatchObject(kept);
    const another = { aeTitle: 'US1', addresses: [] };
    await expect(bench.gateway.tools.modalities.allow('us1', another)).rejects.toMatchObject(kept);
    expect((await bench.gateway.status()).site.name).toBe('Renamed');
  },
  waitMs,
);

test(
  'what was set on the box is adopted into the git folder, or cleared from there',
  async () => {
    const bench = await applyBench();
    const central = await enrolBench(bench);
    using folder = fleetFolder({
      'layers/base.yaml': `kind: Layer\nname: base\npriority: 0\nconfig: ${bench.text()}\n`,
      'devices/box.yaml': `kind: Device\nid: ${device}\nschemaVersion: 2\n`,
    });
    const at = (name: string) => join(folder.path, name);
    const ok = async (...args: string[]) => {
      const { code, stderr } = await command('fleet', ...args);
      expect([code, stderr]).toEqual([0, '']);
    };
    /** What the folder says now is in use on the box. @returns what the box still has of its own */
    const push = async () => {
      await ok('render', folder.path, '--out', at('out'));
      const rendered = JSON.parse(readFileSync(at(`out/${device}.json`), 'utf8')) as { generation: number };
      await central.offer(rendered);
      await inUse(bench, rendered.generation);
      const report = await central.report();
      writeReports(at('reports'), [report]);
      return Object.keys(report.config.localOverrides);
    };
    expect(await push()).toEqual([]);
    await bench.gateway.tools.site.change({ name: 'Set here', timeZone: 'Europe/Madrid' });
    writeReports(at('reports'), [await central.report()]);
    await ok('overrides', 'adopt', folder.path, device, '--reports', at('reports'), '--path', '/site/name');
    expect(await push()).toEqual(['/site/timeZone']);
    await ok('overrides', 'clear', folder.path, device, '--reports', at('reports'));
    expect(await push()).toEqual([]);
    expect((await bench.gateway.status()).site).toEqual({ name: 'Set here', timeZone: 'UTC' });
  },
  waitMs,
);

test(
  'what could not work is refused before it is in use, and the reason stands in the status',
  async () => {
    const bench = await applyBench();
    const central = await enrolBench(bench);
    const mail = { host: 'mail.invalid', security: 'none', from: 'box@x.org', to: ['it@x.org'] };
    const cases = [
      { sections: { notify: { email: mail } }, code: 'APPLY_NOTIFY' },
      { sections: { notify: { webhook: { url: 'https://hook.invalid/x' } } }, code: 'APPLY_NOTIFY' },
      { sections: { remote: { https: { url: 'https://127.0.0.1:9/fleet' } } }, code: 'APPLY_REMOTE' },
      { sections: { remote: { mqtt: { url: 'mqtts://127.0.0.1:9' } } }, code: 'APPLY_REMOTE' },
    ];
    for (const [index, { sections, code }] of cases.entries()) {
      await refusedFor(bench, central, index + 1, configOf(bench, sections), code);
    }
    await bench.restart();
    const { failed } = await centralOf(bench);
    expect(failed).toMatchObject({
      phase: 'refused',
      source: 'central',
      generation: cases.length,
      problem: { code: 'APPLY_REMOTE', nextStep: expect.stringContaining('remote') as string },
    });
  },
  waitMs,
);

async function refusedFor(
  bench: ApplyBench,
  central: Central,
  generation: number,
  config: unknown,
  code: string,
): Promise<void> {
  await central.offer({ generation, config });
  await expect
    .poll(async () => (await centralOf(bench)).failed?.generation, { timeout: waitMs, interval: 50 })
    .toBe(generation);
  expect((await centralOf(bench)).failed?.problem.code).toBe(code);
  expect((await central.report()).config).toMatchObject({ phase: 'Rejected', error: { code } });
}

test(
  'a configuration on trial says until when, and what was not believed is said too',
  async () => {
    const bench = await applyBench();
    const { config } = bench.gateway.tools;
    const before = Date.now();
    await config.apply(bench.text({ site: { name: 'Tried' } }), 600);
    const { phase, confirmUntil, failed } = await centralOf(bench);
    expect({ phase, failed }).toEqual({ phase: 'confirming', failed: null });
    expect(Date.parse(confirmUntil ?? '')).toBeGreaterThanOrEqual(before + 600_000);
    await config.rollback();
    expect((await centralOf(bench)).failed).toMatchObject({
      phase: 'gone back',
      source: 'file',
      problem: { code: 'APPLY_TAKEN_BACK' },
    });
    expect((await centralOf(bench)).channels).toEqual([]);

    await enrolBench(bench);
    await bench.gateway.agent.offer('desired', Buffer.from('{}'), 'usb');
    await bench.gateway.agent.offer('desired', Buffer.from('{}'), 'usb');
    const { disbelieved, freshness } = await centralOf(bench);
    expect(disbelieved).toMatchObject({ problem: { code: 'FLEET_UNREADABLE' } });
    expect(freshness).toBe('unknown');
  },
  waitMs,
);
