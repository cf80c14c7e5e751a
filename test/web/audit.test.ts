import { once } from 'node:events';
import { createServer, type TLSSocket } from 'node:tls';
import { XMLParser } from 'fast-xml-parser';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { type AuditedAction, type AuditEntry, AuditLog } from '../../src/web/audit-log.ts';
import { auditExport } from '../../src/web/audit-message.ts';
import { AuditSyslog } from '../../src/web/audit-syslog.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { MemoryAuditFiles, pairedAdmin, startAccess, TestClock } from './access-harness.ts';

function action(event: string, more: Partial<AuditedAction> = {}): AuditedAction {
  return {
    event,
    actor: 'ada',
    role: 'admin',
    address: '10.4.1.9',
    outcome: 'success',
    code: null,
    subject: null,
    ...more,
  };
}

const limits = { entriesPerFileMax: 4, filesMax: 3 };

async function openLog(files: MemoryAuditFiles): Promise<AuditLog> {
  const log = new AuditLog(files, new TestClock(), silentLog, limits);
  await log.start();
  return log;
}

async function filledLog(count: number): Promise<{ files: MemoryAuditFiles; log: AuditLog }> {
  const files = new MemoryAuditFiles();
  const log = await openLog(files);
  for (let at = 1; at <= count; at += 1) await log.add(action(`EVENT_${at}`));
  return { files, log };
}

/** Changes what lies in a file, as somebody with its key might. */
function change(files: MemoryAuditFiles, file: number, edit: (entries: AuditEntry[]) => AuditEntry[]): void {
  const entries = JSON.parse(files.files.get(file)?.toString() ?? '[]') as AuditEntry[];
  files.files.set(file, Buffer.from(JSON.stringify(edit(entries))));
}

describe('the audit log', () => {
  test('goes on over restarts, keeps so much and no more, and is whole', async () => {
    const { files } = await filledLog(6);
    const again = await openLog(files);
    for (let at = 7; at <= 30; at += 1) await again.add(action(`EVENT_${at}`));
    const { entries, broken } = await again.read();
    expect(broken).toBeNull();
    expect(files.files.size).toBe(limits.filesMax);
    expect(entries.at(-1)).toMatchObject({ number: 30, event: 'EVENT_30' });
    expect(entries[0]?.number).toBe(30 - entries.length + 1);
    expect(entries.length).toBeGreaterThanOrEqual(limits.entriesPerFileMax * (limits.filesMax - 1));
    expect((await (await openLog(files)).read()).broken).toBeNull();
  });

  test('many at once are one chain', async () => {
    const files = new MemoryAuditFiles();
    const log = await openLog(files);
    await Promise.all(Array.from({ length: 10 }, (_, at) => log.add(action(`EVENT_${at}`))));
    const { entries, broken } = await log.read();
    expect([broken, entries.map(({ number }) => number)]).toEqual([null, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]);
  });

  test.each<[name: string, tamper: (files: MemoryAuditFiles) => void, words: RegExp]>([
    [
      'a changed entry',
      (files) => change(files, 1, (all) => all.map((one, at) => (at === 1 ? { ...one, actor: 'eve' } : one))),
      /Entry 2 .* not the one/,
    ],
    ['an entry taken out', (files) => change(files, 2, (all) => all.toSpliced(1, 1)), /Entries 6 and on/],
    ['a file taken out', (files) => void files.files.delete(1), /Entries 1 and on/],
    ['the end cut off', (files) => change(files, 3, (all) => all.slice(0, 1)), /from 10 on, are missing/],
    ['the last file cut off', (files) => void files.files.delete(3), /from 9 on, are missing/],
    [
      'two entries changed places',
      (files) => change(files, 2, ([a, b, ...rest]) => (a && b ? [b, a, ...rest] : [])),
      /Entries 5 and on/,
    ],
    ['the end gone', (files) => void (files.end = null), /end .* missing/],
    ['a file that is none', (files) => void files.files.set(2, Buffer.from('?')), /File 2 .* cannot be read/],
    [
      'entries added by somebody else',
      (files) =>
        change(files, 3, (all) => [
          ...all,
          ...all.slice(-1).map((one) => ({ ...one, number: one.number + 1 })),
        ]),
      /Entry 11 .* not the one/,
    ],
  ])('%s is found, said, and still there after a restart', async (_name, tamper, words) => {
    const { files, log } = await filledLog(10);
    expect((await log.read()).broken).toBeNull();
    tamper(files);
    expect((await log.read()).broken).toMatch(words);
    const again = await openLog(files);
    const { entries, broken } = await again.read();
    expect(broken).not.toBeNull();
    expect(entries.at(-1)).toMatchObject({ event: 'AUDIT_CHAIN_BROKEN', outcome: 'failure' });
  });

  test('a crash between an entry and the note of the end is no fault', async () => {
    const { files, log } = await filledLog(5);
    const before = files.end;
    await log.add(action('EVENT_6'));
    files.end = before;
    const again = await openLog(files);
    await again.add(action('EVENT_7'));
    const { entries, broken } = await again.read();
    expect([broken, entries.at(-1)?.number]).toEqual([null, 7]);
  });

  test('what cannot be written down is not answered', async () => {
    const house = await startAccess();
    const admin = await pairedAdmin(house);
    house.auditFiles.write = () => Promise.reject(new Error('EIO'));
    const answer = await house.ask('/api/v1/audit', { headers: admin.reading });
    expect([answer.status, answer.json?.code]).toEqual([503, 'AUDIT_NOT_WRITTEN']);
  });

  test('is read by admins, newest first, in pages; reading is written down', async () => {
    const house = await startAccess();
    const admin = await pairedAdmin(house);
    for (let at = 0; at < 5; at += 1) await house.audit.add(action(`EVENT_${at}`));
    const first = await house.ask('/api/v1/audit?limit=2', { headers: admin.reading });
    expect(first.json).toMatchObject({ broken: null, entries: [{ event: 'EVENT_4' }, { event: 'EVENT_3' }] });
    const second = await house.ask(`/api/v1/audit?limit=10&before=${first.json.next}`, {
      headers: admin.reading,
    });
    expect(second.json.entries.map(({ event }: AuditEntry) => event)).toEqual([
      'EVENT_2',
      'EVENT_1',
      'EVENT_0',
      'PAIRING',
    ]);
    expect(second.json.next).toBeNull();
    const { entries } = await house.audit.read();
    expect(entries.slice(-2).map(({ event }) => event)).toEqual(['AUDIT_READ', 'AUDIT_READ']);
    const file = await house.ask('/api/v1/audit/export', { headers: admin.reading });
    expect(file.headers['content-type']).toContain('application/xml');
    expect(file.text.match(/<AuditMessage>/g)).toHaveLength(8);
  });
});

test('audit messages are those of PS3.15 A.5, with markup as text', async () => {
  const { log } = await filledLog(0);
  await log.add(action('SIGN_IN'));
  await log.add(action('SIGN_IN', { actor: '<b>"x"&', outcome: 'failure', code: 'AUTH_WRONG', role: null }));
  await log.add(action('STUDY_REVEALED', { subject: 'ab'.repeat(16) }));
  await log.add(action('QUEUE_DISCARD', { address: 'console', actor: 'console' }));
  const { entries } = await log.read();
  const xml = auditExport(entries, { box: 'GANTRY-7F3K9Q', site: 'North & South' });
  expect(xml).not.toContain('<b>');
  const parsed = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '' }).parse(xml);
  const [signIn, failed, revealed, discarded] = parsed.AuditMessages.AuditMessage;
  expect(signIn.EventIdentification).toMatchObject({
    EventActionCode: 'E',
    EventDateTime: entries[0]?.at,
    EventOutcomeIndicator: '0',
    EventID: { 'csd-code': '110114', codeSystemName: 'DCM', originalText: 'User Authentication' },
    EventTypeCode: { 'csd-code': '110122', codeSystemName: 'DCM', originalText: 'Login' },
  });
  expect(signIn.ActiveParticipant[0]).toMatchObject({
    UserID: 'ada',
    UserIsRequestor: 'true',
    NetworkAccessPointTypeCode: '2',
    NetworkAccessPointID: '10.4.1.9',
  });
  expect(signIn.AuditSourceIdentification).toMatchObject({
    AuditSourceID: 'GANTRY-7F3K9Q',
    AuditEnterpriseSiteID: 'North &#38; South',
  });
  expect(failed.EventIdentification.EventOutcomeIndicator).toBe('4');
  expect(revealed.EventIdentification.EventID['csd-code']).toBe('110103');
  expect(revealed.ParticipantObjectIdentification.ParticipantObjectID).toBe('ab'.repeat(16));
  expect(discarded.EventIdentification.EventTypeCode['csd-code']).toBe('110132');
  expect(discarded.ActiveParticipant[0]).not.toHaveProperty('NetworkAccessPointID');
});

test('the log is sent on by syslog over TLS, what was missed too, and to nobody who cannot prove who he is', async () => {
  const authority = await makeAuthority();
  const stranger = await makeAuthority('Stranger');
  const server = createServer(await authority.server({ hosts: ['127.0.0.1'] }));
  let received = '';
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk;
    });
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { log: audit } = await filledLog(3);
  let sent = 1;
  let told = 0;
  const sender = (ca: string) => {
    const lines = {
      ...silentLog,
      error: () => void (told += 1),
      child: () => ({ ...silentLog, error: lines.error }),
    };
    return new AuditSyslog({
      host: '127.0.0.1',
      port,
      ca: async () => ca,
      source: { box: 'GANTRY-7F3K9Q', site: 'North' },
      audit,
      sent: { read: async () => sent, write: async (number) => void (sent = number) },
      log: lines,
    });
  };
  const until = async (reached: () => boolean) => {
    while (!reached()) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const refused = sender(stranger.cert);
  refused.start();
  await until(() => told > 0);
  await refused.stop();
  expect([received, sent]).toEqual(['', 1]);

  const trusted = sender(authority.cert);
  trusted.start();
  onTestFinished(async () => {
    await trusted.stop();
    server.close();
  });
  await until(() => sent === 3);
  await audit.add(action('EVENT_4'));
  await until(() => sent === 4);
  await until(() => received.includes('EVENT_4'));
  const messages: string[] = [];
  let rest = Buffer.from(received);
  while (rest.length > 0) {
    const digits = /^(\d+) /.exec(rest.toString('latin1', 0, 10))?.[1] ?? '';
    const start = digits.length + 1;
    messages.push(rest.toString('utf8', start, start + Number(digits)));
    rest = rest.subarray(start + Number(digits));
  }
  expect(messages.map((one) => /EVENT_\d/.exec(one)?.[0])).toEqual(['EVENT_2', 'EVENT_3', 'EVENT_4']);
  expect(messages[0]).toMatch(/^<85>1 \S+Z \S+ gantry \d+ DICOM\+RFC3881 - \uFEFF<\?xml .*<\/AuditMessage>$/);
});
