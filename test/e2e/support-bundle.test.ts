import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { SOPClassUID, SOPInstanceUID } from '../../src/dicom/uid.ts';
import { httpServer } from '../archive/fault-server.ts';
import { filesBelow, temporaryDirectory } from '../fixtures/data-directory.ts';
import { element, encodeDataSet, type MadeInstance, transferSyntaxes } from '../fixtures/dicom-objects.ts';
import { startGateway } from '../fixtures/gateway-process.ts';
import { gantry, patienceMs } from './peers.ts';
import { storeAll } from './store-all.ts';

/** Every attribute of PS3.15 table E.1-1 that a modality commonly fills, each with a word of its own. */
const identifying: readonly [tag: number, vr: string][] = [
  [0x0008_0020, 'DA'],
  [0x0008_0050, 'SH'],
  [0x0008_0080, 'LO'],
  [0x0008_0081, 'ST'],
  [0x0008_0090, 'PN'],
  [0x0008_1010, 'SH'],
  [0x0008_1030, 'LO'],
  [0x0008_103e, 'LO'],
  [0x0008_1048, 'PN'],
  [0x0008_1050, 'PN'],
  [0x0008_1070, 'PN'],
  [0x0010_0010, 'PN'],
  [0x0010_0020, 'LO'],
  [0x0010_0030, 'DA'],
  [0x0010_1000, 'LO'],
  [0x0010_1001, 'PN'],
  [0x0010_1040, 'LO'],
  [0x0010_2154, 'SH'],
  [0x0010_21b0, 'LT'],
  [0x0010_4000, 'LT'],
  [0x0018_1030, 'LO'],
  [0x0020_0010, 'SH'],
  [0x0020_4000, 'LT'],
  [0x0032_1060, 'LO'],
  [0x0040_0006, 'PN'],
  [0x0040_0254, 'LO'],
  [0x0040_1001, 'SH'],
];

const marker = (tag: number): string => `ZQ${tag.toString(16).padStart(8, '0')}X`;
const root = '1.3.77123.55441.99871';
const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';

/** @param pixel another image under the same number */
function marked(number: number, pixel = number): MadeInstance {
  const uids = { study: `${root}.1`, series: `${root}.1.1`, instance: `${root}.1.1.${number}` };
  const elements = [
    element(0x0008_0016, 'UI', ctImageStorage),
    element(0x0008_0018, 'UI', uids.instance),
    element(0x0008_0060, 'CS', 'CT'),
    element(0x0020_000d, 'UI', uids.study),
    element(0x0020_000e, 'UI', uids.series),
    element(0x0028_0010, 'US', [16]),
    element(0x0028_0011, 'US', [16]),
    element(0x0028_0100, 'US', [8]),
    ...identifying.map(([tag, vr]) => element(tag, vr, marker(tag))),
    element(0x7fe0_0010, 'OB', Buffer.alloc(256, pixel)),
  ];
  return {
    SOPClassUID: ctImageStorage as SOPClassUID,
    SOPInstanceUID: uids.instance as SOPInstanceUID,
    StudyInstanceUID: uids.study,
    SeriesInstanceUID: uids.series,
    TransferSyntaxUID: transferSyntaxes['explicit-le'],
    dataSet: encodeDataSet(
      elements.toSorted((a, b) => a.tag - b.tag),
      'explicit-le',
    ),
  } as MadeInstance;
}

const secrets = ['QQTOKENQQ', 'QQPASSWORDQQ', 'QQPROXYUSERQQ', 'QQWEBHOOKQQ'] as const;

/** In the forms in which something could slip through. */
function formsOf(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  return [
    bytes,
    Buffer.from(bytes.toString('hex')),
    Buffer.from(text, 'utf16le'),
    Buffer.from(encodeURIComponent(text)),
    ...[0, 1, 2].map((skip) => {
      const whole = Buffer.concat([Buffer.alloc(skip), bytes]).toString('base64');
      return Buffer.from(whole.slice(skip === 0 ? 0 : 4, -4));
    }),
  ];
}

describe('the support bundle', { timeout: patienceMs }, () => {
  test('says before what is in it, and holds nothing of a patient and no secret', async () => {
    using directory = temporaryDirectory();
    const refusing = await httpServer((request, response) => {
      request.resume();
      // An archive that repeats what it was sent.
      const words = identifying.map(([tag]) => marker(tag)).join(' ');
      response.writeHead(409, { warning: `299 - "${words}"` }).end(`${words} ${root}.1.1.1`);
    });
    onTestFinished(() => refusing.stop());
    const file = (name: string, text: string) => {
      const path = join(directory.path, name);
      writeFileSync(path, text);
      return path;
    };
    const gateway = await startGateway(join(directory.path, 'data'), {
      intake: { unknownCallers: 'refuse' },
      modalities: { ct1: { aeTitle: 'CT1' } },
      destinations: {
        cloud: {
          type: 'stow',
          url: refusing.url,
          auth: { type: 'bearer', tokenFile: file('token', secrets[0]) },
        },
        away: {
          type: 'stow',
          url: 'http://127.0.0.1:9/studies',
          proxy: {
            url: 'http://127.0.0.1:9',
            user: secrets[2],
            passwordFile: file('password', secrets[1]),
          },
        },
      },
    });
    onTestFinished(() => gateway.kill());
    expect(await storeAll(gateway.dicomPort, [marked(1), marked(2), marked(3)])).toEqual({ 0: 3 });
    expect(await storeAll(gateway.dicomPort, [marked(1, 9)])).toEqual({ 0: 1 });
    await storeAll(gateway.dicomPort, [marked(4)], 'STRANGER').catch(() => undefined);
    const { totals } = await gateway.until(
      ({ totals: { received }, intake }) => received === 4 && intake.refusals.length > 0,
    );
    expect(totals.conflicts).toBe(1);
    const data = ['--data', gateway.dataDirectory];

    const listed = await gantry('support-bundle', '--list', ...data);
    expect(listed.code).toBe(0);
    const output = join(directory.path, 'bundle.tar.gz');
    expect(await gantry('support-bundle', '--output', output, ...data)).toMatchObject({ code: 0 });
    expect(await gantry('support-bundle', '--output', output, ...data)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('USAGE_OUTPUT') as string,
    });
    const unpacked = join(directory.path, 'unpacked');
    mkdirSync(unpacked);
    expect(spawnSync('tar', ['-xzf', output, '-C', unpacked]).status).toBe(0);
    const files = filesBelow(unpacked);
    const names = files.map((path) => path.slice(unpacked.length + '/gantry-support/'.length));
    const promised = [...listed.stdout.matchAll(/^(\S+)$/gm)].map(([, name]) => name);
    expect(new Set(names)).toEqual(new Set([...promised, 'CONTENTS.txt']));

    const part = (name: string) => readFileSync(join(unpacked, 'gantry-support', name), 'utf8');
    for (const name of names) expect(part(name)).not.toContain('could not be gathered');
    // What helps is there…
    expect(part('log.txt')).toContain('CALLING_AE_TITLE');
    expect(part('attempts.json')).toContain('STRANGER');
    expect(part('metrics.txt')).toContain('gantry_build_info');
    expect(JSON.parse(part('config.json'))).toMatchObject({
      destinations: {
        cloud: { url: refusing.url, auth: { tokenFile: expect.stringContaining('/token') as string } },
        away: { proxy: { user: '(hidden)' } },
      },
    });
    // … and what must not be is not.
    const needles = [...identifying.map(([tag]) => marker(tag)), root, ...secrets];
    const leaks = files.flatMap((path) => {
      const bytes = readFileSync(path);
      return needles.filter((needle) => formsOf(needle).some((form) => bytes.includes(form)));
    });
    expect(leaks).toEqual([]);
    // The search would find them: they are in what was sent.
    expect(formsOf(marker(0x0010_0010)).some((form) => marked(1).dataSet.includes(form))).toBe(true);
  });
});
