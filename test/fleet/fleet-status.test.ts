import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Dashboard } from '../../src/fleet/dashboard.ts';
import { fleetRows, type KnownBox } from '../../src/fleet/fleet-status.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { command } from '../cli/command.ts';
import { baseLayer, fleetFolder } from './desk-folder.ts';
import { reportOf, writeReports } from './desk-reports.ts';

const ago = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();
const inDays = (days: number): string => ago(-24 * days - 1);

const reports = [
  reportOf('BOX-FINE', { applied: 2, certificates: [{ use: 'device', notAfter: inDays(300) }] }),
  reportOf('BOX-DOWN', { applied: 2, verdict: 'down', reason: 'The archive <cannot> be "reached" & more.' }),
  reportOf('BOX-BACK', { applied: 1, observed: 2, phase: 'RolledBack' }),
  reportOf('BOX-GONE', { applied: 2, at: ago(30) }),
  reportOf('BOX-OWN', { applied: 2, overrides: { '/site/timeZone': 'UTC' } }),
  reportOf('BOX-CERT', {
    applied: 2,
    certificates: [
      { use: 'device', notAfter: inDays(300) },
      { use: 'https', notAfter: inDays(9) },
    ],
  }),
  reportOf('BOX-FORGED', { applied: 2, refused: [{ code: 'FLEET_SIGNATURE', at: ago(1), count: 4 }] }),
];

interface StatusJson {
  readonly summary: Record<string, unknown>;
  readonly unreadable: string[];
  readonly boxes: {
    device: string;
    wanted: number | null;
    verdict: string;
    certificateDays: number | null;
  }[];
}

async function statusJson(...args: string[]): Promise<StatusJson> {
  const { code, stdout, stderr } = await command('fleet', 'status', ...args, '--json');
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as StatusJson;
}

describe('fleet status', () => {
  test('counts, the worst first, and what is chosen by', async () => {
    using folder = temporaryDirectory();
    writeReports(folder.path, reports);
    writeFileSync(join(folder.path, 'cut-off.json'), '{"kind":"Rep');
    const all = await statusJson(folder.path);
    expect(all.summary).toEqual({
      boxes: 7,
      verdicts: { working: 6, down: 1 },
      drift: 2,
      offline: 1,
      rejected: 1,
      certificatesEnding: 1,
      refusing: 1,
    });
    expect(all.unreadable).toEqual([join(folder.path, 'cut-off.json')]);
    expect(all.boxes.map(({ device }) => device).slice(0, 4)).toEqual([
      'BOX-DOWN',
      'BOX-BACK',
      'BOX-GONE',
      'BOX-OWN',
    ]);
    const chosen = async (...args: string[]) =>
      (await statusJson(folder.path, ...args)).boxes.map(({ device }) => device);
    expect(await chosen('--drift')).toEqual(['BOX-BACK', 'BOX-OWN']);
    expect(await chosen('--offline', '24h')).toEqual(['BOX-GONE']);
    expect(await chosen('--offline', '2d')).toEqual([]);
    expect(await chosen('--cert-days', '9')).toEqual(['BOX-CERT']);
    expect(await chosen('--cert-days', '8')).toEqual([]);
    expect(await chosen('--rejected')).toEqual(['BOX-BACK']);
    expect(await chosen('--rejected', '--offline', '24h')).toEqual(['BOX-BACK', 'BOX-GONE']);
  });

  test('with the git folder: boxes that never reported, and who runs something else than was given', async () => {
    using folder = fleetFolder({
      'layers/base.yaml': baseLayer,
      'devices/all.yaml': ['BOX-FINE', 'BOX-NEW', 'BOX-OLD']
        .map((id) => `kind: Device\nid: ${id}\nretired: ${id === 'BOX-OLD'}\n`)
        .join('---\n'),
    });
    const out = join(folder.path, 'out');
    await command('fleet', 'render', folder.path, '--out', out);
    const reported = join(folder.path, 'reports');
    writeReports(reported, [reportOf('BOX-FINE', { applied: 0 })]);
    const { boxes } = await statusJson(reported, '--fleet', folder.path, '--drift');
    expect(boxes).toMatchObject([
      { device: 'BOX-NEW', wanted: 1, verdict: 'silent' },
      { device: 'BOX-FINE', wanted: 1, verdict: 'working' },
    ]);
  });

  test('the newest of several reports counts', async () => {
    using older = temporaryDirectory();
    using newer = temporaryDirectory();
    writeReports(older.path, [reportOf('BOX-ONE', { seq: 4, verdict: 'down' })]);
    writeReports(newer.path, [reportOf('BOX-ONE', { seq: 5 })]);
    for (const paths of [
      [older.path, newer.path],
      [newer.path, older.path],
    ])
      expect((await statusJson(...paths)).boxes).toMatchObject([{ verdict: 'working' }]);
  });

  test('as a table, and for Prometheus', async () => {
    using folder = temporaryDirectory();
    writeReports(folder.path, reports);
    const { stdout } = await command('fleet', 'status', folder.path);
    expect(stdout).toContain('7 boxes: ');
    expect(stdout).toMatch(/BOX-BACK .*RolledBack/);
    const metrics = (await command('fleet', 'status', folder.path, '--prometheus')).stdout;
    expect(metrics).toContain('gantry_fleet_boxes{verdict="down"} 1\n');
    expect(metrics).toContain('gantry_fleet_boxes_needing_attention{cause="drift"} 2\n');
    expect(metrics).toContain('gantry_fleet_box_applied_generation{device="BOX-BACK"} 1\n');
  });

  test.each([
    [['--offline', 'soon'], 'USAGE_TIME'],
    [['--cert-days', 'x'], 'USAGE_DAYS'],
  ])('refuses %j', async (args, code) => {
    using folder = temporaryDirectory();
    const { code: exit, stderr } = await command('fleet', 'status', folder.path, ...args);
    expect([exit, stderr]).toEqual([2, expect.stringContaining(code)]);
  });

  test('a folder that is not there', async () => {
    const { code, stderr } = await command('fleet', 'status', '/nowhere/reports');
    expect([code, stderr]).toEqual([1, expect.stringContaining('FLEET_REPORTS_UNREADABLE')]);
  });
});

describe('dashboard', () => {
  async function open(known: ReadonlyMap<string, KnownBox>, folder: string) {
    const page = new Dashboard({
      reports: [folder],
      known: () => Promise.resolve(known),
      host: '127.0.0.1',
      port: 0,
      offlineMs: 24 * 3_600_000,
      certificateDays: 30,
    });
    const { port } = await page.start();
    return {
      get: (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init),
      [Symbol.asyncDispose]: () => page.stop(),
    };
  }

  test('one page with nothing from elsewhere, that works without JavaScript', async () => {
    using folder = temporaryDirectory();
    writeReports(folder.path, reports);
    await using page = await open(new Map(), folder.path);
    const answer = await page.get('/');
    const html = await answer.text();
    expect(answer.headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    expect(html).not.toMatch(/<script|style=|https?:\/\/|\son[a-z]+=/i);
    expect(html).toContain('The archive &lt;cannot&gt; be &quot;reached&quot; &amp; more.');
    expect(html).toMatch(
      /<html lang="en">[\s\S]*<title>[\s\S]*<main>[\s\S]*<label for="q">[\s\S]*<th scope="col">/,
    );
    expect(html).toContain('<b>1</b> offline');
    expect((await page.get('/style.css')).headers.get('content-type')).toContain('text/css');
    expect(await (await page.get('/metrics')).text()).toContain('gantry_fleet_boxes{verdict="working"} 6');
  });

  test('search, choice, and what is written into the address', async () => {
    using folder = temporaryDirectory();
    writeReports(folder.path, reports);
    const labels = { region: 'north' };
    await using page = await open(new Map([['BOX-FINE', { labels, generation: 2 }]]), folder.path);
    const rows = async (query: string): Promise<string[]> =>
      [...(await (await page.get(`/?${query}`)).text()).matchAll(/<th scope="row">([\w-]+)/g)].map(
        ([, device = '']) => device,
      );
    expect(await rows('q=region%3Dnorth')).toEqual(['BOX-FINE']);
    expect(await rows('q=down')).toEqual(['BOX-DOWN']);
    expect(await rows('show=certificates')).toEqual(['BOX-CERT']);
    expect(await rows('show=refusing')).toEqual(['BOX-FORGED']);
    expect(await rows('show=nonsense&page=-1&q[]=x')).toHaveLength(7);
    const html = await (await page.get(`/?q=${encodeURIComponent('"><script>alert(1)</script>')}`)).text();
    expect(html).not.toContain('<script');
    expect(html).toContain('No box is like that.');
  });

  test('reads only, and only by its own address', async () => {
    using folder = temporaryDirectory();
    await using page = await open(new Map(), folder.path);
    expect((await page.get('/', { method: 'POST' })).status).toBe(404);
    expect((await page.get('/other')).status).toBe(404);
    const { request } = await import('undici');
    const url = (await page.get('/')).url;
    const foreign = await request(url, { headers: { host: 'evil.example' } });
    expect(foreign.statusCode).toBe(421);
    await foreign.body.dump();
  });

  test('reports that cannot be read are said, in words', async () => {
    await using page = await open(new Map(), '/nowhere/reports');
    const answer = await page.get('/');
    expect(answer.status).toBe(500);
    expect(await answer.text()).toContain('FLEET_REPORTS_UNREADABLE');
  });

  test('20,000 boxes, page by page', async () => {
    using folder = temporaryDirectory();
    const known = new Map<string, KnownBox>();
    for (let index = 0; index < 20_000; index++)
      known.set(`BOX-${String(index).padStart(5, '0')}`, {
        labels: { ring: String(index % 7) },
        generation: 1,
      });
    await using page = await open(known, folder.path);
    const html = await (await page.get('/?page=200')).text();
    expect(html).toContain('page 200 of 200');
    expect(html).toContain('BOX-19999');
    expect(html.length).toBeLessThan(100_000);
    expect(html).toContain('href="/?page=199"');
  });
});

test('a box that has applied what it was given does not drift', () => {
  const limits = { now: Date.now(), offlineMs: 1000, certificateDays: 30 };
  const rows = fleetRows(
    new Map([['BOX-ONE', reportOf('BOX-ONE', { applied: 7 })]]),
    new Map([['BOX-ONE', { labels: {}, generation: 7 }]]),
    limits,
  );
  expect(rows).toMatchObject([{ drift: false, applied: 7, wanted: 7, phase: 'Applied' }]);
});
