import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { applyFailures } from '../../src/config/remote/apply-failures.ts';
import { fleetRefusals } from '../../src/config/remote/refusals.ts';
import { remoteFaultCodes } from '../../src/config/remote/channels/faults.ts';
import type { CentralReport } from '../../src/health/status.ts';
import type { Language } from '../../src/web/language.ts';
import { loadPage, type PageRenderer } from '../../src/web/page.ts';
import type { WebServer } from '../../src/web/server.ts';
import * as de from '../../web-ui/src/words/de.ts';
import * as es from '../../web-ui/src/words/es.ts';
import * as fr from '../../web-ui/src/words/fr.ts';
import { builtPage, createWebServer, SettableStatus } from './harness.ts';
import { centralReport, fleetReport, minutesBefore } from './reports.ts';

describe('the settings on the page, and central IT behind them', () => {
  let page: PageRenderer;
  let server: WebServer | null = null;

  beforeAll(async () => {
    page = await loadPage(await builtPage());
  });
  afterEach(async () => {
    await server?.stop();
    server = null;
  });

  async function wordsFor(central: Partial<CentralReport>, language: Language = 'en'): Promise<string> {
    const { config } = fleetReport;
    const report = { ...fleetReport, config: { ...config, central: { ...centralReport, ...central } } };
    const status = new SettableStatus(report);
    server = createWebServer({ status, page, intakeHost: '10.4.1.20' });
    const { port } = await server.start();
    const text = await (await fetch(`http://127.0.0.1:${port}/?lang=${language}`)).text();
    await server.stop();
    const body = text.slice(text.indexOf('<body'), text.indexOf('<script type="application/json"'));
    return body
      .replaceAll(/<[^>]+>/g, ' ')
      .replaceAll(/\s+/g, ' ')
      .replaceAll('&quot;', '"');
  }

  test('which are in use, who gave them, and how each way to central IT is', async () => {
    const words = await wordsFor({});
    for (const expected of [
      'Settings generation 12, from central IT (number 42 there), 24 Nov 2026',
      'Fleet acme',
      'Is this the newest? Yes',
      'Web server Reached 4 min ago, again at 10:46',
      'Broker Not reached tried again at 10:45',
      'Broker: The proxy refuses the way to central IT. Do this:',
      'REMOTE_PROXY_REFUSED (last reached 3 hours ago )',
      'Set on this box site.timeZone, modalities.us1',
    ])
      expect(words).toContain(expected);
    expect(words).not.toContain('New settings');
  });

  test('what is under way, what waits, and why something is not in use', async () => {
    const confirmUntil = minutesBefore(-9);
    expect(await wordsFor({ phase: 'confirming', confirmUntil })).toContain(
      'New settings are being tried: confirmed by 10:53, or undone by themselves.',
    );
    const window = { generation: 43, when: 'window', opensAt: minutesBefore(-9.3 * 60) } as const;
    expect(await wordsFor({ waiting: window })).toContain(
      'New settings of central IT (number 43) are put in use at 20:02.',
    );
    expect(await wordsFor({ waiting: { ...window, when: 'manual', opensAt: null } })).toContain(
      'wait until somebody puts them in use at the console: gantry config apply.',
    );
    const failed = {
      at: minutesBefore(20),
      phase: 'gone back',
      source: 'central',
      generation: 43,
      problem: { ...problem, code: 'APPLY_NO_CONTACT' },
    } as const;
    expect(await wordsFor({ failed })).toContain(
      'New settings were undone 20 min ago ; the ones before are in use again. The cause. Do this: The next step. APPLY_NO_CONTACT',
    );
    const disbelieved = { at: minutesBefore(2), count: 4, problem: { ...problem, code: 'FLEET_SIGNATURE' } };
    expect(await wordsFor({ disbelieved, freshness: 'clock not trusted' })).toContain(
      'Something in the name of central IT was not believed, last 2 min ago (4 times). The cause.',
    );
    const german = await wordsFor({ failed, disbelieved, freshness: 'clock not trusted' }, 'de');
    expect(german).toContain('Mit ihnen war die zentrale IT nicht rechtzeitig wieder zu erreichen.');
    expect(german).toContain('Rufen Sie die zentrale IT an und nennen Sie den Code.');
    expect(german).toContain('Nicht bekannt: der Uhr dieser Box ist nicht zu trauen');
  });

  test('a box of no fleet is told nothing of central IT', async () => {
    const alone = { fleet: null, generation: null, channels: [], overrides: [], freshness: null };
    expect(await wordsFor(alone)).not.toMatch(/Fleet|Web server|Broker/);
  });
});

const problem = { words: 'The cause.', nextStep: 'The next step.' };

test('why settings are not in use, or central IT is not reached, is said in every language', () => {
  const applied = ['interrupted', 'rolledBack', 'unconfirmed', 'late', 'notLocal'] as const;
  const dryRun = ['PORT', 'RESERVE', 'CALLER', 'DESTINATION', 'NOTIFY', 'REMOTE'].map(
    (one) => `APPLY_${one}`,
  );
  const codes = [
    ...applied.map((one) => applyFailures[one].code),
    ...dryRun,
    ...Object.keys(fleetRefusals),
    ...remoteFaultCodes,
  ];
  for (const { codes: known } of [de, fr, es]) {
    expect(codes.filter((code) => known[`cause.${code}`] === undefined)).toEqual([]);
    expect(remoteFaultCodes.filter((code) => known[`do.${code}`] === undefined)).toEqual([]);
    expect(known['do.CENTRAL']).toBeDefined();
  }
});
