import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { StatusReport } from '../../src/health/status.ts';
import { loadPage, type PageRenderer } from '../../src/web/page.ts';
import type { WebServer, WebServerOptions } from '../../src/web/server.ts';
import { builtPage, createWebServer, SettableStatus } from './harness.ts';
import {
  degradedReport,
  downReport,
  exampleDestination,
  exampleRefusal,
  freshReport,
  minutesBefore,
  tlsReport,
  workingReport,
} from './reports.ts';

let server: WebServer | null = null;

afterEach(async () => {
  await server?.stop();
  server = null;
});

async function serve(
  options: Partial<WebServerOptions> = {},
): Promise<{ port: number; status: SettableStatus }> {
  const status = new SettableStatus(workingReport);
  server = createWebServer({ status, ...options });
  const { port } = await server.start();
  return { port, status };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Any method with any `Host`, which fetch would not send. */
async function ask(
  port: number,
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
): Promise<Answer> {
  const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false });
  request.end();
  const [response] = await once(request, 'response');
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode, headers: response.headers, text };
}

/** What a reader sees of a page. */
function wordsOf(html: string): string {
  return html
    .replace(/<script[\s\S]*?<\/script>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/[\s\u00a0]+/g, ' ');
}

/** A raw follower of the event stream. */
class Follower {
  readonly socket: Socket;
  text = '';

  constructor(port: number, headers = '') {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.text += chunk;
    });
    this.socket.on('error', () => {});
    this.socket.write(`GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`);
  }

  /** Waits until so much was received. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.text);
      if (found !== null) return found;
      await once(this.socket, 'data');
    }
  }
}

describe('the open listener', () => {
  test('answers status with a validator that changes with the content, not with the time', async () => {
    const { port, status } = await serve();
    const first = await ask(port, '/api/v1/status');
    expect(JSON.parse(first.text)).toEqual(workingReport);
    const etag = String(first.headers['etag']);

    status.set({ time: '2026-11-24T09:44:13.000Z' });
    const unchanged = await ask(port, '/api/v1/status', 'GET', { 'if-none-match': etag });
    expect([unchanged.status, unchanged.text]).toEqual([304, '']);

    status.set({ verdict: 'down' });
    const changed = await ask(port, '/api/v1/status', 'GET', { 'if-none-match': etag });
    expect(changed.status).toBe(200);
    expect(JSON.parse(changed.text)).toMatchObject({ verdict: 'down' });
  });

  test('is read-only and takes no bodies', async () => {
    const { port } = await serve();
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
      const answer = await ask(port, '/api/v1/status', method);
      expect([method, answer.status, answer.headers['allow']]).toEqual([method, 405, 'GET, HEAD']);
    }
    expect((await ask(port, '/nowhere', 'POST')).status).toBe(405);
    expect((await ask(port, '/', 'GET', { 'content-length': '3' })).status).toBe(400);
    for (const path of ['/', '/api/v1/status', '/api/v1/events', '/livez', '/metrics']) {
      const head = await ask(port, path, 'HEAD');
      expect([path, head.status, head.text]).toEqual([path, 200, '']);
    }
  });

  test('answers to addresses and own names only, so that another site cannot be pointed at it', async () => {
    const { port } = await serve({ hostNames: ['gantry.clinic.example'] });
    const ours = ['127.0.0.1', '10.1.2.3:8080', '[::1]:8080', '[fe80::1]', 'LOCALHOST:1', hostname()];
    for (const host of [...ours, 'gantry.clinic.example', 'Gantry.Clinic.Example.:8080']) {
      expect([host, (await ask(port, '/livez', 'GET', { host })).status]).toEqual([host, 200]);
    }
    for (const host of [
      'evil.example',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '[::1].evil.example',
    ]) {
      const answer = await ask(port, '/api/v1/status', 'GET', { host });
      expect([host, answer.status]).toEqual([host, 421]);
      expect(answer.text).not.toContain('North Clinic');
      expect(JSON.parse(answer.text)).toMatchObject({
        code: 'HTTP_HOST',
        nextStep: expect.stringMatching(/IP address/),
      });
    }
  });

  test('an address that cannot be decoded is guarded like any other and not repeated', async () => {
    const { port } = await serve();
    for (const path of ['/%ZZsecret', '/assets/%ZZsecret', `/api/v1/status%ZZsecret`]) {
      const answer = await ask(port, path);
      expect([path, answer.status]).toEqual([path, 400]);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      expect(answer.headers['content-security-policy']).toMatch(/^default-src 'self'/);
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
      expect(JSON.parse(answer.text)).toMatchObject({ code: 'HTTP_BAD_REQUEST' });
      expect(answer.text).not.toContain('secret');
      const rebound = await ask(port, path, 'GET', { host: 'evil.example' });
      expect([rebound.status, JSON.parse(rebound.text)['code']]).toEqual([421, 'HTTP_HOST']);
      expect((await ask(port, path, 'POST')).status).toBe(405);
    }
  });

  test('says why it is not ready, and reports its own failures as problem documents', async () => {
    const reason = { code: 'SPOOL_DISK_FULL', words: 'The disk is full.' };
    const { port, status } = await serve({ readiness: () => ({ ready: false, reason }) });
    expect((await ask(port, '/livez')).status).toBe(200);
    const answer = await ask(port, '/readyz');
    expect(answer.status).toBe(503);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(JSON.parse(answer.text)).toMatchObject({ code: reason.code, detail: reason.words });

    status.failing = true;
    const failed = await ask(port, '/api/v1/status');
    expect(failed.status).toBe(500);
    expect(failed.text).not.toContain('ledger');
    const page = await ask(port, '/');
    expect([page.status, page.headers['content-type']]).toEqual([503, 'text/html; charset=utf-8']);
    expect(page.text).toContain('could not read its own state');
    expect((await ask(port, '/api/v1/events')).status).toBe(503);
  });

  test('refuses oversized headers, and passes metrics on as they are', async () => {
    const { port } = await serve();
    expect((await ask(port, '/', 'GET', { 'x-much': 'x'.repeat(20_000) })).status).toBe(431);
    const metrics = await ask(port, '/metrics');
    expect([metrics.headers['content-type'], metrics.text]).toEqual([
      'text/plain; version=0.0.4',
      'gantry_build_info 1\n',
    ]);
  });

  test('says which address is taken when it cannot listen', async () => {
    const { port } = await serve();
    const second = createWebServer({ status: new SettableStatus(workingReport), port });
    await expect(second.start()).rejects.toMatchObject({ code: 'WEB_LISTEN', message: /EADDRINUSE/ });
    await second.stop();
  });
});

describe('the event stream', () => {
  const quick = { eventIntervalMs: 1, heartbeatMs: 20 };

  test('starts with a snapshot, goes on with what changed, and resumes where a follower left off', async () => {
    const { port, status } = await serve({ limits: quick });
    const follower = new Follower(port);
    const [head] = await follower.until(/^HTTP\/1\.1 200[\s\S]*?\r\n\r\n/);
    expect(head).toMatch(/content-type: text\/event-stream/i);
    expect(head).toMatch(/x-accel-buffering: no/i);
    await follower.until(/retry: 2000\n/);
    const [, snapshot = ''] = await follower.until(/event: snapshot\nid: \S+\ndata: (.*)\n/);
    expect(JSON.parse(snapshot)).toEqual(workingReport);

    const queue = { studies: 1, instances: 2, bytes: 3, oldestAgeSeconds: 4 };
    status.set({ queue });
    const [, id = '', patch = ''] = await follower.until(/event: patch\nid: (\S+)\ndata: (.*)\n/);
    expect(JSON.parse(patch)).toEqual({ time: workingReport.time, queue });
    await follower.until(/\n: heartbeat\nevent: heartbeat\ndata: \{"time":".*"\}\n/);
    follower.socket.destroy();

    // Missed while away: one patch with everything since, and nothing else.
    const watcher = new Follower(port);
    await watcher.until(/event: snapshot/);
    status.set({ verdict: 'down' });
    await watcher.until(/"verdict":"down"/);
    const back = new Follower(port, `Last-Event-ID: ${id}\r\n`);
    const [, missed = ''] = await back.until(/event: (?:patch|snapshot)\nid: \S+\ndata: (.*)\n/);
    expect(JSON.parse(missed)).toEqual({ time: workingReport.time, verdict: 'down' });
    // An id of a process that is no more: a whole snapshot.
    const stranger = new Follower(port, 'Last-Event-ID: 00000000-1\r\n');
    await stranger.until(/event: snapshot\n/);
    for (const one of [watcher, back, stranger]) one.socket.destroy();
  });

  test('does not look alive while the status cannot be read', async () => {
    const { port, status } = await serve({ limits: { ...quick, refreshMs: 5 } });
    const follower = new Follower(port);
    await follower.until(/event: heartbeat/);
    status.failing = true;
    // Comments keep the connection, without an event between them.
    await follower.until(/: heartbeat\n\n\r\n[0-9a-f]+\r\n: heartbeat\n\n/);
    status.failing = false;
    follower.text = '';
    await follower.until(/event: heartbeat/);
    follower.socket.destroy();
  });

  test('drops a follower that does not read, and keeps the others', async () => {
    const { port, status } = await serve({ limits: quick });
    const healthy = new Follower(port);
    await healthy.until(/event: snapshot/);
    const stuck = new Follower(port);
    await stuck.until(/event: snapshot/);
    stuck.socket.pause();
    let dropped = false;
    stuck.socket.on('close', () => {
      dropped = true;
    });

    // Far more than the sockets' own buffers and ours hold; at most 60 × 500 kB.
    for (let round = 0; round < 60; round += 1) {
      healthy.text = '';
      status.set({ reason: `${round}:${'x'.repeat(500_000)}`, version: `${round}` });
      await healthy.until(new RegExp(`"version":"${round}"`));
    }
    stuck.socket.resume();
    if (!dropped) await once(stuck.socket, 'close');
    expect(stuck.text.length).toBeLessThan(60 * 500_000);
    expect(healthy.socket.destroyed).toBe(false);
    healthy.socket.destroy();
  });

  test('has room for so many followers and no more', async () => {
    const { port } = await serve({ limits: { clientsMax: 2 } });
    const followers = [new Follower(port), new Follower(port)];
    for (const one of followers) await one.until(/event: snapshot/);
    const refused = await ask(port, '/api/v1/events');
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '10']);
    followers[0]?.socket.destroy();
    let answered = new Follower(port);
    while (!(await answered.until(/HTTP\/1\.1 (?:200|503)/))[0].endsWith('200'))
      answered = new Follower(port);
    await answered.until(/event: snapshot/);
    await server?.stop();
    server = null;
    if (!answered.socket.closed) await once(answered.socket, 'close');
    followers[1]?.socket.destroy();
  });
});

describe('the page', () => {
  let page: PageRenderer;

  beforeAll(async () => {
    page = await loadPage(await builtPage());
  });

  test('reads completely without JavaScript, under a policy that allows none inline', async () => {
    const { port, status } = await serve({ page, intakeHost: '10.4.1.20' });
    status.set(degradedReport);
    const { headers, text } = await ask(port, '/');
    expect(headers['content-security-policy']).toMatch(/^default-src 'self';.*frame-ancestors 'none'/);
    expect(headers['content-security-policy']).not.toContain('unsafe');
    expect([headers['x-content-type-options'], headers['referrer-policy']]).toEqual([
      'nosniff',
      'no-referrer',
    ]);
    const words = wordsOf(text);
    for (const expected of [
      'Needs attention',
      'called and was refused: the device asked for an AE title that is not that of this gateway.',
      'Do this: Correct the called AE title in the device',
      'It called itself CT2 and us DGW2 , from 10.4.1.57 .',
      'This box is GANTRY-7F3K9Q',
      'Safe to switch off? No : a device is connected',
      'Images today 214',
      'Speed 720 kB a second Done in about 5 mins',
      'Last confirmed by the archive 10:42',
      '1 modality refused',
      'Associations in use: 1 of 64',
      'Call refused. The device asked for an AE title that is not that of this gateway.',
      '12 times',
      'set up as ct2',
      'What it asked for (3 presentation contexts) Kinds: CT Image Storage; Enhanced CT Image Storage',
      'Images 412',
      'Refused by the archive 2 images',
      'Its certificate 6 days left',
      'IP address 10.4.1.20',
      'Port 11112',
      'settings generation 7',
    ]) {
      expect(words).toContain(expected);
    }
    expect(text).toContain('<noscript><meta http-equiv="refresh" content="15"/></noscript>');
    expect(text.match(/role="status"/g)).toHaveLength(1);
    expect(text).not.toMatch(/\sstyle=|<style/);
    // Of other addresses only where to sign in.
    expect(text.match(/https?:\/\/[^"<]+/g)).toEqual(
      Array.from({ length: 2 }, () => 'https://10.4.1.20:8443/'),
    );
  });

  async function wordsFor(report: StatusReport): Promise<string> {
    const { port, status } = await serve({ page, intakeHost: '10.4.1.20' });
    status.set(report);
    return wordsOf((await ask(port, '/')).text);
  }

  test('a fresh box: the order of things, why nothing is sent, and when that is tried again', async () => {
    const words = await wordsFor(freshReport);
    const places = [
      'Safe to switch off?',
      'The way of an image',
      ' Modalities ct1',
      'Waiting to send',
      'Archive and line',
      ' Box Disk',
      ' Network Address',
      'Type this into the modality',
      'Actions',
      ' Events Since',
    ];
    const order = places.map((title) => words.indexOf(title));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order[0]).toBeGreaterThan(0);
    expect(words).toContain('Not sending tried again at 10:48');
    expect(words).toContain('the token file /etc/gantry/token cannot be read TOKEN_FILE_UNREADABLE');
    // Nothing that contradicts "resumes by itself", and nothing that is not known.
    expect(words).not.toMatch(/Connected|a person must act|not known yet|no sensor|Temperature|Room/);
  });

  test('receiving with TLS: the port, what to install in a device, and how long that lasts', async () => {
    expect(await wordsFor(workingReport)).not.toContain('TLS');
    const words = await wordsFor(tlsReport);
    for (const expected of [
      'Port with TLS 2762',
      'Receiving with TLS',
      'Certificate to be renewed 1,095 days left',
      '/var/lib/gantry/config/dicom-tls.pem',
      'AB:CD:EF:01',
    ])
      expect(words).toContain(expected);
    const { tls } = tlsReport.intake;
    if (tls === null) throw new Error('no example');
    const problem = { code: 'TLS_PORT_TAKEN', words: 'The port is taken.', nextStep: 'Free it.' };
    const closed = { ...tls, open: false, problem };
    const without = await wordsFor({ ...tlsReport, intake: { ...tlsReport.intake, tls: closed } });
    expect(without).toContain('Closed without TLS it is open');
    expect(without).toMatch(/The port is taken\. Do.this: Free it\. TLS_PORT_TAKEN/);
    expect(without).not.toContain('Port with TLS');
  });

  test('a destination that has not answered yet is being tried; a paused one waits for a person', async () => {
    const untried = { ...exampleDestination, state: 'untried' as const };
    const reason = { code: 'PAUSED_BY_OPERATOR', words: 'Forwarding was paused by an operator.' };
    const paused = { ...exampleDestination, state: 'paused' as const, reason };
    const first = await wordsFor({ ...workingReport, destinations: { cloud: untried } });
    expect(first).toContain('Starting Everything received is in the archive.');
    expect(first).toContain('Being tried no answer yet');
    expect(first).not.toMatch(/Connected|Working/);
    await server?.stop();
    const second = await wordsFor({ ...workingReport, destinations: { cloud: paused } });
    expect(second).toContain('Paused until somebody resumes it');
    expect(second).not.toContain('tried again');
  });

  test('says once when the archive last confirmed, and counts what is set aside as safe here', async () => {
    const words = await wordsFor(workingReport);
    expect(words.match(/last confirmed by/gi)).toHaveLength(1);
    await server?.stop();
    expect(await wordsFor(degradedReport)).toContain('415 images safe on this box: 412 waiting, 3 set aside');
  });

  test('a port scan does not make the way in look broken, but is listed; old refusals are folded', async () => {
    const nobody = { callingAeTitle: '', calledAeTitle: '', modalityName: null, proposed: null };
    const scan = { ...exampleRefusal, ...nobody, at: minutesBefore(0), kind: 'closed' as const };
    const scans = Array.from({ length: 7 }, (_, at) => ({ ...scan, address: `10.9.9.${at}` }));
    const { port, status } = await serve({ page });
    status.set({ ...workingReport, intake: { ...workingReport.intake, refusals: scans } });
    const { text } = await ask(port, '/');
    expect(wordsOf(text)).not.toContain('Last call refused');
    const [open = '', folded = ''] = text.split('<details>');
    const listed = (html: string): number =>
      scans.filter(({ address }) => html.includes(`>${address}<`)).length;
    expect([listed(open), listed(folded.split('</details>')[0] ?? '')]).toEqual([5, 2]);
    expect(wordsOf(folded)).toContain('2 earlier');
    const call = { ...scan, callingAeTitle: 'CT9' };
    status.set({ intake: { ...workingReport.intake, refusals: [{ ...call, kind: 'rejected' }] } });
    expect(wordsOf((await ask(port, '/')).text)).toContain('Last call refused');
    // Nothing was lost when an association at rest was closed.
    status.set({ intake: { ...workingReport.intake, refusals: [call] } });
    expect(wordsOf((await ask(port, '/')).text)).not.toContain('Last call refused');
  });

  test('a full house is said where the images come in', async () => {
    const words = await wordsFor({
      ...workingReport,
      intake: { ...workingReport.intake, associations: 64, idleConnections: 9 },
    });
    expect(words).toContain('Full 64 of 64 associations are in use');
    expect(words).toContain('Idle connections: 9 of 64');
  });

  test('a configuration that was not taken is said beside whatever is graver', async () => {
    const rejected = { code: 'CONFIG_INVALID', words: 'The file is not valid.', nextStep: 'Correct it.' };
    const words = await wordsFor({ ...downReport, config: { ...downReport.config, rejected } });
    expect(words).toContain('The file is not valid. Do this: Correct it. CONFIG_INVALID');
  });

  test('keeps hostile AE titles text', async () => {
    const { port, status } = await serve({ page });
    const hostile = `</script><script>alert(1)</script>"'<!--<img src=x onerror=alert(2)>`;
    const refusal = { ...exampleRefusal, callingAeTitle: hostile, calledAeTitle: hostile };
    status.set({
      site: { name: hostile, timeZone: 'Nowhere/At_all' },
      intake: { ...workingReport.intake, aeTitle: hostile, refusals: [refusal] },
      modalities: {
        [hostile]: { ...workingReport.modalities['ct1']!, aeTitle: hostile, lastRefusal: refusal },
      },
    });
    const { status: code, text } = await ask(port, '/');
    expect(code).toBe(200);
    expect(text).not.toContain('<img');
    expect(text.match(/<script/g)).toHaveLength(2);
    expect(text.match(/<\/script>/g)).toHaveLength(2);
    const data = /<script type="application\/json" id="status">(.*?)<\/script>/.exec(text)?.[1] ?? '';
    expect(JSON.parse(data).report).toEqual(status.report);
  });

  test('serves its own files for ever and nothing beside them, within 60 kB compressed', async () => {
    const { port } = await serve({ page });
    const zipped = { 'accept-encoding': 'gzip' };
    const { text } = await ask(port, '/');
    const paths = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
    const files = paths.filter((path) => path.startsWith('/assets/'));
    // Icon, style, script, and the words of one language.
    expect(files).toHaveLength(4);
    // Beside them only links to this page, in another language and over HTTPS: nothing of another host.
    const others = paths.filter((path) => !files.includes(path));
    const languages = ['/?lang=en', '/?lang=de', '/?lang=fr', '/?lang=es'];
    expect(others).toEqual([...languages, 'https://127.0.0.1:8443/']);
    let total = 0;
    for (const path of ['/', ...files]) {
      const answer = await ask(port, path, 'GET', zipped);
      expect([path, answer.status]).toEqual([path, 200]);
      total += Number(answer.headers['content-length']);
      if (path !== '/') expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    }
    process.stdout.write(`first load: ${total} bytes compressed, ${files.length + 1} requests\n`);
    expect(total).toBeLessThan(60_000);
    for (const path of [
      '/assets/',
      '/assets/../manifest.json',
      '/assets/%2e%2e%2fmanifest.json',
      '/assets/x.js',
    ]) {
      expect([path, (await ask(port, path)).status]).toEqual([path, 404]);
    }
  });

  test('speaks the language that was chosen, else that of the browser, and keeps the choice', async () => {
    const { port, status } = await serve({ page });
    status.set(downReport);
    const inLanguage = async (path: string, headers: Record<string, string>) => {
      const answer = await ask(port, path, 'GET', headers);
      return {
        ...answer,
        language: /<html lang="(\w+)"/.exec(answer.text)?.[1],
        words: wordsOf(answer.text),
      };
    };
    const german = await inLanguage('/', { 'accept-language': 'de-CH, de;q=0.9, en;q=0.8' });
    expect(german.language).toBe('de');
    expect(german.words).toContain('Kein Empfang: Die Platte ist bis auf ihre Reserve voll');
    // Numbers and times as that language writes them; codes as they are.
    expect(german.words).toContain('18.412 Bilder');
    expect(german.words).toContain('SPOOL_DISK_FULL');
    expect(german.text).toContain('/assets/de-');
    expect(german.text).not.toContain('/assets/en-');
    const french = await inLanguage('/?lang=fr', { 'accept-language': 'de' });
    expect(french.language).toBe('fr');
    const [cookie = ''] = [french.headers['set-cookie']].flat();
    expect((await inLanguage('/', { cookie: cookie.split(';')[0] ?? '' })).language).toBe('fr');
    const odd = { 'accept-language': 'x'.repeat(5000), cookie: 'gantry-language=../../en' };
    expect((await inLanguage('/?lang=__proto__', odd)).language).toBe('en');
    // What nobody has translated is said in English, and marked as that.
    status.set({ ...downReport, reason: 'Something new.', code: 'SOMETHING_NEW' });
    expect((await inLanguage('/?lang=es', {})).text).toContain('<span lang="en">Something new.</span>');
  });

  test('falls back to plain words where it has not been built', async () => {
    const plain = await loadPage(new URL('./no-such-folder/', import.meta.url));
    const { port } = await serve({ page: plain });
    const { status, text } = await ask(port, '/');
    expect(status).toBe(200);
    expect(text).toContain('Everything received is in the archive.');
    expect(text).toContain('npm run build');
    expect((await ask(port, '/api/v1/status')).status).toBe(200);
  });
});
