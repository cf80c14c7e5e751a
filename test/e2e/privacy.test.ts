import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { DimseSender } from '../../src/demo/dimse-sender.ts';
import { SandboxArchive } from '../../src/demo/sandbox-archive.ts';
import type { SOPClassUID, SOPInstanceUID } from '../../src/dicom/uid.ts';
import { filesBelow, type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { type DataElement, element, encodeDataSet, type MadeInstance } from '../fixtures/dicom-objects.ts';
import { type GatewayProcess, startGateway } from '../fixtures/gateway-process.ts';
import { flipBit, storedObjects } from '../fixtures/stored-objects.ts';
import { gantry, patienceMs } from './peers.ts';
import { storeAll } from './store-all.ts';

/*
 * Patient data planted in everything a modality or an archive can say. Afterwards every place that is open, kept or
 * logged is searched for it.
 */

const words = {
  name: 'ZQNAMEKARENINA^ANNA',
  id: 'ZQPATID-4711-0815',
  study: 'ZQSTUDYDESC fracture of left radius',
  series: 'ZQSERIESDESC lateral',
  accession: 'ZQACC-99887766',
  physician: 'ZQPHYSICIAN^BOTKIN',
} as const;
/** No other UID in the house has these components. */
const root = '1.3.99881.77665.55443';
const uids = {
  study: `${root}.1`,
  series: `${root}.1.1`,
  good: `${root}.1.1.1`,
  second: `${root}.1.1.2`,
  cut: `${root}.1.1.3`,
  misnamed: `${root}.1.1.4`,
  privateClass: `${root}.2.1`,
} as const;
const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';
const explicitLittleEndian = '1.2.840.10008.1.2.1';

function planted(instanceUID: string, seed: number): MadeInstance {
  const elements: DataElement[] = [
    element(0x0008_0016, 'UI', ctImageStorage),
    element(0x0008_0018, 'UI', instanceUID),
    element(0x0008_0050, 'SH', words.accession.slice(0, 16)),
    element(0x0008_0060, 'CS', 'CT'),
    element(0x0008_0090, 'PN', words.physician),
    element(0x0008_1030, 'LO', words.study),
    element(0x0008_103e, 'LO', words.series),
    element(0x0010_0010, 'PN', words.name),
    element(0x0010_0020, 'LO', words.id),
    element(0x0020_000d, 'UI', uids.study),
    element(0x0020_000e, 'UI', uids.series),
    element(0x0028_0010, 'US', [16]),
    element(0x0028_0011, 'US', [16]),
    element(0x0028_0100, 'US', [8]),
    element(0x7fe0_0010, 'OB', Buffer.alloc(256, seed)),
  ];
  return {
    SOPClassUID: ctImageStorage as SOPClassUID,
    SOPInstanceUID: instanceUID,
    StudyInstanceUID: uids.study,
    SeriesInstanceUID: uids.series,
    TransferSyntaxUID: explicitLittleEndian,
    dataSet: encodeDataSet(elements, 'explicit-le'),
  } as MadeInstance;
}

/** What is searched for, in the forms it could take. A plain hash of a UID is as good as the UID: there are few. */
function needles(): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  const texts = { ...words, ...uids, root };
  for (const [what, text] of Object.entries(texts)) {
    const bytes = Buffer.from(text);
    found.set(what, bytes);
    found.set(`${what} in hex`, Buffer.from(bytes.toString('hex')));
    found.set(`${what} in UTF-16`, Buffer.from(text, 'utf16le'));
    found.set(`${what} percent-encoded`, Buffer.from(encodeURIComponent(text)));
    for (const skip of [0, 1, 2]) {
      // Base64 by where in a group of three the text begins; what depends on its neighbours is left out.
      const whole = Buffer.concat([Buffer.alloc(skip), bytes]).toString('base64');
      found.set(`${what} in base64 (${skip})`, Buffer.from(whole.slice(skip === 0 ? 0 : 4, -4)));
    }
    for (const algorithm of ['md5', 'sha1', 'sha256']) {
      const digest = createHash(algorithm).update(bytes).digest();
      found.set(`${algorithm} of ${what}`, digest);
      found.set(`${algorithm} of ${what} in hex`, Buffer.from(digest.toString('hex')));
      found.set(`${algorithm} of ${what} in base64`, Buffer.from(digest.toString('base64').slice(0, 20)));
    }
  }
  return found;
}

const searchedFor = needles();

function search(place: string, content: Buffer | string): string[] {
  const bytes = Buffer.from(content);
  return [...searchedFor].flatMap(([what, needle]) => (bytes.includes(needle) ? [`${place}: ${what}`] : []));
}

/** An archive that repeats whatever it was sent, wherever HTTP and DICOM have room for it. */
class TalkativeArchive {
  readonly #server: Server;

  constructor(answer: 'refuses the instances' | 'fails') {
    const all = Object.values({ ...words, ...uids }).join(' ');
    const headers = {
      'content-type': 'application/dicom+json',
      warning: `299 - "${all}"`,
      location: `http://127.0.0.1/${encodeURIComponent(all)}`,
      'www-authenticate': `Basic realm="${words.name}"`,
    };
    const failed = Object.values(uids).map((uid) => ({
      '00081150': { vr: 'UI', Value: [ctImageStorage] },
      '00081155': { vr: 'UI', Value: [uid] },
      '00081197': { vr: 'US', Value: [0xc000] },
      '00741007': { vr: 'LO', Value: [all] },
    }));
    const body =
      answer === 'fails'
        ? JSON.stringify({ error: `no patient ${words.name}, study ${uids.study}` })
        : JSON.stringify({ '00081198': { vr: 'SQ', Value: failed }, '00100010': { vr: 'PN', Value: [all] } });
    this.#server = createServer((request: IncomingMessage, response: ServerResponse) => {
      request.resume();
      request.on('end', () => {
        const status = answer === 'fails' ? 500 : 409;
        response.writeHead(status, `No good ${words.name} ${uids.good}`, headers).end(body);
      });
    });
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/studies`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

describe('patient data', { timeout: patienceMs }, () => {
  const refusing = new TalkativeArchive('refuses the instances');
  const failing = new TalkativeArchive('fails');
  let sandbox: SandboxArchive;
  let directory: TemporaryDirectory;
  let data = '';
  let gateway: GatewayProcess;
  const lines: string[] = [];
  /** What was seen on the way, by place. */
  const seen = new Map<string, string>();

  const start = async (): Promise<void> => {
    gateway = await startGateway(data, await configuration(), '--log-level', 'debug');
  };
  let config: object | null = null;
  const configuration = async (): Promise<object> => {
    const destination = (url: string) => ({ type: 'stow', url, verify: 'wado-digest' });
    config ??= {
      intake: { unknownCallers: 'refuse' },
      modalities: { ct1: { aeTitle: 'CT1', settleSeconds: 1 } },
      destinations: {
        good: destination((await sandbox.start()).url),
        refusing: destination(await refusing.start()),
        failing: destination(await failing.start()),
        gone: destination('http://127.0.0.1:9/studies'),
      },
    };
    return config;
  };

  beforeAll(async () => {
    directory = temporaryDirectory();
    data = join(directory.path, 'data');
    const dataDir = join(directory.path, 'archive');
    sandbox = new SandboxArchive({ dataDir, host: '127.0.0.1', port: 0, log: silentLog });
    await start();
  });
  afterAll(async () => {
    await gateway?.kill();
    await Promise.all([sandbox.stop(), refusing.stop(), failing.stop()]);
    directory?.[Symbol.dispose]();
  });

  /** Takes down everything that is open or printed. */
  async function lookAround(when: string): Promise<void> {
    for (const path of ['/', '/api/v1/status', '/metrics', '/livez', '/readyz', `/${words.id}`]) {
      const response = await fetch(`http://127.0.0.1:${gateway.webPort}${path}`);
      const headers = JSON.stringify([...response.headers]);
      seen.set(`${path} ${when}`, headers + (await response.text()));
    }
    const events = await fetch(`http://127.0.0.1:${gateway.webPort}/api/v1/events`);
    const first = await events.body?.getReader().read();
    seen.set(`/api/v1/events ${when}`, Buffer.from(first?.value ?? []).toString());
    const commands = ['status', 'status --json', 'queue ls', 'queue ls --json', 'receipts ls', 'scrub'];
    for (const command of commands) {
      const { stdout, stderr } = await gantry(...command.split(' '), '--data', data);
      seen.set(`${command} ${when}`, stdout + stderr);
    }
  }

  test('is planted on every way in', async () => {
    expect(await storeAll(gateway.dicomPort, [planted(uids.good, 1), planted(uids.second, 2)])).toEqual({
      0: 2,
    });
    // The same identity with other pixels: a conflict.
    expect(await storeAll(gateway.dicomPort, [planted(uids.good, 3)])).toEqual({ 0: 1 });

    const cut = planted(uids.cut, 4);
    const other = planted(uids.misnamed, 5);
    const statuses = await storeAll(gateway.dicomPort, [
      { ...cut, dataSet: cut.dataSet.subarray(0, -100) },
      { ...other, SOPInstanceUID: uids.cut as SOPInstanceUID },
      { ...other, SOPInstanceUID: words.name as SOPInstanceUID },
    ]);
    expect(statuses).toEqual({ [0xc000]: 2, [0xa900]: 1 });

    await expect(DimseSender.connect({ ...callee(gateway), callingAeTitle: 'NOBODY' })).rejects.toMatchObject(
      { code: 'DIMSE_REJECTED' },
    );
    const breaking = await DimseSender.connect(callee(gateway));
    breaking.abort();
  });

  test('is answered to, refused and kept', async () => {
    const report = await gateway.until(
      ({ destinations: { good, refusing: one, failing: two, gone }, intake, totals }) =>
        good?.verified === 2 &&
        one?.quarantined === 2 &&
        two?.reason?.code === 'HTTP_500' &&
        gone?.state === 'down' &&
        totals.conflicts === 1 &&
        intake.refusals.length >= 5,
    );
    expect(report.intake.refusals.map(({ code }) => code).toSorted()).toEqual(
      [
        'CALLING_AE_TITLE',
        'DICOM_TRUNCATED',
        'ILLEGAL_INSTANCE_UID',
        'LEFT_WITHOUT_RELEASE',
        'UID_MISMATCH',
      ].toSorted(),
    );
    await lookAround('while it runs');
  });

  test('survives a kill, a damaged object and a rebuilt ledger', async () => {
    lines.push(...gateway.lines);
    await gateway.kill();
    flipBit(storedObjects(data)[0], 300);
    const rebuilt = await gantry('rebuild-ledger', '--data', data);
    seen.set('rebuild-ledger', rebuilt.stdout + rebuilt.stderr);
    expect(rebuilt.code).toBe(0);
    await start();
    await gateway.until(({ destinations }) => (destinations['good']?.verified ?? 0) >= 1);
    await lookAround('after the restart');
  });

  test('is nowhere but in sealed files and on the wire', async () => {
    lines.push(...gateway.lines);
    expect(await gateway.stop()).toBe(0);
    // The search can find what it looks for.
    const { dataSet } = planted(uids.good, 1);
    for (const form of [dataSet, dataSet.toString('hex'), dataSet.toString('base64')]) {
      expect(search('wire', form).length).toBeGreaterThanOrEqual(8);
    }
    const [study = ''] = /[0-9a-f]{32}/.exec((await gantry('receipts', 'ls', '--data', data)).stdout) ?? [];
    const receipt = await gantry('receipts', 'show', study, '--data', data);
    expect(search('receipt', receipt.stdout)).toContain('receipt: study');

    const files = filesBelow(data);
    expect(files.length).toBeGreaterThan(8);
    expect(lines.length).toBeGreaterThan(20);
    const hits = [
      ...lines.flatMap((line) => search(`log line ${line.slice(0, 200)}`, line)),
      ...[...seen].flatMap(([place, content]) => search(place, content)),
      ...files.flatMap((path) => [...search(path, readFileSync(path)), ...search('file name', path)]),
    ];
    expect(seen.get('/api/v1/events while it runs')).toContain('"totals"');
    expect(hits).toEqual([]);
    // The log's last line of defence took nothing out: no UID was handed to it.
    expect(lines.filter((line) => line.includes('[uid]'))).toEqual([]);
  });
});

/** Proposes, besides CT, a class that is named by a planted UID. */
function callee({ dicomPort }: GatewayProcess) {
  const transferSyntaxes = [explicitLittleEndian, `${root}.3`];
  return {
    host: '127.0.0.1',
    port: dicomPort,
    callingAeTitle: 'CT1',
    calledAeTitle: 'GANTRY',
    contexts: [ctImageStorage, uids.privateClass].map((SOPClass) => ({
      SOPClassUID: SOPClass as SOPClassUID,
      transferSyntaxes: transferSyntaxes as MadeInstance['TransferSyntaxUID'][],
    })),
  };
}
