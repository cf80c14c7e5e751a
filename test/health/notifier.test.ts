import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { noSealedSecrets } from '../../src/base/sealed-secrets.ts';
import { createLog, silentLog } from '../../src/base/log.ts';
import { Note } from '../../src/base/note.ts';
import { parseConfig } from '../../src/config/schema.ts';
import { noticeChannels } from '../../src/health/notice-channels.ts';
import {
  type Notice,
  type NoticeChannel,
  Notifier,
  type NotifierOptions,
  noticesPerDayMax,
  toldNote,
} from '../../src/health/notifier.ts';
import type { StatusReport, Verdict } from '../../src/health/status.ts';
import { buildStatus } from '../../src/health/status-builder.ts';
import { bodyOf, httpServer } from '../archive/fault-server.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { ManualClock } from '../fixtures/manual-clock.ts';
import { startSmtpSink } from '../fixtures/smtp-sink.ts';
import { statusInputs } from './status-inputs.ts';

const holdMs = 300_000;
const report = buildStatus(statusInputs());

class MemoryFile {
  bytes: Buffer | null = null;

  async read(): Promise<Buffer | null> {
    return this.bytes;
  }

  async write(bytes: Buffer): Promise<void> {
    this.bytes = bytes;
  }
}

/** A box whose verdict the test sets, and who is told. */
class Box {
  readonly clock = new ManualClock();
  readonly file = new MemoryFile();
  readonly sent: Notice[] = [];
  verdict: Verdict = 'working';
  notifier!: Notifier;

  static async make(): Promise<Box> {
    const box = new Box();
    await box.restart();
    return box;
  }

  async restart(parts: Partial<NotifierOptions> = {}): Promise<void> {
    const channel: NoticeChannel = {
      name: 'webhook',
      send: async (notice) => {
        this.sent.push(notice);
      },
    };
    this.notifier = new Notifier({
      status: async (): Promise<StatusReport> => ({ ...report, verdict: this.verdict }),
      channels: [channel],
      note: await Note.open(this.file, toldNote, () => {}),
      clock: this.clock,
      log: silentLog,
      holdMs,
      ...parts,
    });
  }

  /** It stays like this for so long; looked at every ten seconds. */
  async stays(verdict: Verdict, ms: number): Promise<void> {
    this.verdict = verdict;
    for (let passed = 0; passed < ms; passed += 10_000) {
      await this.notifier.look();
      this.clock.advance(10_000);
    }
    await this.notifier.look();
    await this.notifier.settled();
  }

  get kinds(): string[] {
    return this.sent.map(({ kind, verdict }) => `${kind} ${verdict}`);
  }
}

describe('who is told, and when', () => {
  test('once when it begins and once when it ends, however long it lasts', async () => {
    const box = await Box.make();
    await box.stays('working', 3_600_000);
    expect(box.kinds).toEqual([]);
    const began = box.clock.now();
    await box.stays('degraded', 24 * 3_600_000);
    await box.stays('working', 3_600_000);
    expect(box.kinds).toEqual(['start degraded', 'end working']);
    expect(box.sent.map(({ since }) => Date.parse(since))).toEqual([began, began]);
  });

  test('nothing where it lasted less than the hold, either way', async () => {
    const box = await Box.make();
    await box.stays('degraded', holdMs - 20_000);
    await box.stays('working', holdMs * 2);
    expect(box.kinds).toEqual([]);
    await box.stays('degraded', holdMs);
    for (let flap = 0; flap < 50; flap += 1) {
      await box.stays('working', holdMs - 20_000);
      await box.stays('degraded', holdMs - 20_000);
    }
    expect(box.kinds).toEqual(['start degraded']);
  });

  test('worse is told once; better, but not well, is not', async () => {
    const box = await Box.make();
    for (const verdict of ['degraded', 'down', 'degraded', 'working'] as const)
      await box.stays(verdict, holdMs);
    expect(box.kinds).toEqual(['start degraded', 'worse down', 'end working']);
  });

  test('never a flood: a day has an end, and what was begun is ended', async () => {
    const box = await Box.make();
    for (let round = 0; round < 40; round += 1) {
      await box.stays('degraded', holdMs);
      await box.stays('working', holdMs);
    }
    expect(box.sent.filter(({ kind }) => kind === 'start')).toHaveLength(noticesPerDayMax);
    expect(box.sent.filter(({ kind }) => kind === 'end')).toHaveLength(noticesPerDayMax);
    await box.stays('working', 25 * 3_600_000);
    await box.stays('down', holdMs);
    expect(box.kinds.at(-1)).toBe('start down');
  });

  test('over a restart nothing is told twice, and the end is told all the same', async () => {
    const box = await Box.make();
    await box.stays('degraded', holdMs);
    await box.restart();
    await box.stays('degraded', holdMs * 3);
    await box.restart();
    await box.stays('working', holdMs);
    expect(box.kinds).toEqual(['start degraded', 'end working']);
  });

  test('what does not get through is tried again, a bounded number of times', async () => {
    const box = await Box.make();
    const lines: string[] = [];
    let attempts = 0;
    const channel: NoticeChannel = {
      name: 'email',
      send: async () => {
        attempts += 1;
        throw new Error('no route');
      },
    };
    const log = createLog('info', { write: (line) => lines.push(line) });
    await box.restart({ channels: [channel], retryMs: [1, 1, 1], log });
    await box.stays('degraded', holdMs);
    expect(attempts).toBe(4);
    expect(lines.join('')).toContain('NOTICE_GIVEN_UP');
  });
});

function channelsOf(notify: object): NoticeChannel[] {
  const destinations = { cloud: { type: 'stow', url: 'https://archive.example/studies' } };
  const parsed = parseConfig({ destinations, notify });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return noticeChannels(parsed.config.notify, noSealedSecrets);
}

const notice: Notice = {
  kind: 'start',
  site: 'North\r\nBcc: everybody@example.com Clinic',
  verdict: 'degraded',
  reason: 'The disk is nearly full.',
  nextStep: 'Call IT.',
  since: '2026-01-15T11:55:00.000Z',
  at: report.time,
  queue: report.queue,
  totals: report.totals,
  version: '1.2.3',
};

describe('by e-mail, to a real SMTP server', () => {
  test('a short text goes to everybody named; a name cannot add a header', async () => {
    const sink = await startSmtpSink();
    onTestFinished(() => sink.stop());
    const [channel] = channelsOf({
      email: {
        host: '127.0.0.1',
        port: sink.port,
        security: 'none',
        from: 'gantry@north.example',
        to: ['it@north.example', 'pacs@north.example'],
      },
    });
    await channel?.send(notice, AbortSignal.timeout(10_000));
    expect(sink.mails).toHaveLength(1);
    const [{ from, to, text }] = sink.mails as [(typeof sink.mails)[number]];
    expect([from, to]).toEqual(['gantry@north.example', ['it@north.example', 'pacs@north.example']]);
    expect(text).toMatch(/^Subject: Gantry at North Bcc: everybody@example.com Clinic: needs attention$/m);
    expect(text).not.toMatch(/^Bcc:/m);
    expect(text).toContain('The disk is nearly full.');
    expect(text).toContain('What to do: Call IT.');
  });

  test('a server that is busy, gone or without TLS is a failure with a code, without the words it said', async () => {
    const sink = await startSmtpSink({ refuseFirst: 1 });
    onTestFinished(() => sink.stop());
    const mail = { host: '127.0.0.1', port: sink.port, from: 'a@b.example', to: ['c@d.example'] };
    const [plain] = channelsOf({ email: { ...mail, security: 'none' } });
    await expect(plain?.send(notice, AbortSignal.timeout(10_000))).rejects.toMatchObject({
      code: 'NOTICE_NOT_SENT',
      message: expect.not.stringContaining('busy') as string,
    });
    const [secured] = channelsOf({ email: { ...mail, security: 'starttls' } });
    await expect(secured?.send(notice, AbortSignal.timeout(10_000))).rejects.toMatchObject({
      code: 'NOTICE_NOT_SENT',
    });
    expect(sink.mails).toEqual([]);
  });
});

describe('to a web address', () => {
  test('the notice goes as JSON, with the token', async () => {
    using directory = temporaryDirectory();
    const tokenFile = join(directory.path, 'token');
    writeFileSync(tokenFile, 'T0KEN\n');
    const got: { authorization: string | undefined; body: unknown }[] = [];
    const server = await httpServer(async (request, response) => {
      const body: unknown = JSON.parse((await bodyOf(request)).toString());
      got.push({ authorization: request.headers.authorization, body });
      response.writeHead(204).end();
    });
    onTestFinished(() => server.stop());
    const [channel] = channelsOf({ webhook: { url: server.url, tokenFile } });
    await channel?.send(notice, AbortSignal.timeout(10_000));
    expect(got).toEqual([
      {
        authorization: 'Bearer T0KEN',
        body: {
          ...notice,
          text: expect.stringContaining('needs attention. The disk is nearly full.') as string,
        },
      },
    ]);
  });

  test('an answer other than success is a failure; a redirect is not followed', async () => {
    const asked: string[] = [];
    const server = await httpServer((request, response) => {
      asked.push(request.url ?? '');
      request.resume();
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    onTestFinished(() => server.stop());
    const [channel] = channelsOf({ webhook: { url: server.url } });
    await expect(channel?.send(notice, AbortSignal.timeout(10_000))).rejects.toMatchObject({
      message: expect.stringContaining('HTTP_302') as string,
    });
    expect(asked).toHaveLength(1);
  });
});
