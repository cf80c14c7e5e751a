import { deflateRawSync } from 'node:zlib';
import { ctSlice, type Encoding, srDocument, usMultiframe } from '../../fixtures/dicom-objects.ts';
import {
  associateRequest,
  commandSet,
  ctContext,
  dataPdu,
  echoCommand,
  item,
  releaseRequest,
} from '../../intake/raw-client.ts';
import {
  associate,
  dataPdus,
  lyingElement,
  object,
  store,
  storeElements,
  syntaxes,
} from '../hostile/wire.ts';
import { found } from './found.ts';
import type { TargetName } from './targets.ts';

/** Names and inputs that the fuzzer starts from: small, one of each kind, the same whenever they are made. */
export function seedInputs(): Record<TargetName, Record<string, Buffer>> {
  const seeds = {
    gate: gateSeeds(),
    association: associationSeeds(),
    command: commandSeeds(),
    header: headerSeeds(),
    'store-answer': storeAnswerSeeds(),
    multipart: multipartSeeds(),
  };
  for (const [target, inputs] of Object.entries(found)) {
    for (const [name, base64] of Object.entries(inputs)) {
      seeds[target as TargetName][`found-${name}`] = Buffer.from(base64, 'base64');
    }
  }
  return seeds;
}

const identity = { studyUID: '2.25.1', seriesUID: '2.25.2', instanceUID: '2.25.3' };

function gateSeeds(): Record<string, Buffer> {
  const whole = Buffer.concat([
    associate(),
    echoCommand(9),
    ...store(object(0), 1),
    ...store(object(1), 2),
    releaseRequest,
  ]);
  const find = commandSet([
    [0x0100, 0x0020],
    [0x0110, 3],
    [0x0800, 0],
  ]);
  const other = Buffer.concat([
    associate(),
    dataPdu({ context: 1, command: true, last: true, bytes: find }),
    ...dataPdus(Buffer.alloc(40)),
    releaseRequest,
  ]);
  const split = Buffer.concat([
    associate(),
    store(object(0), 1)[0] ?? Buffer.alloc(0),
    ...dataPdus(object(0).dataSet, 100),
    releaseRequest,
  ]);
  const deflated = Buffer.concat([
    associate(syntaxes.deflated),
    ...store(object(0), 1, deflateRawSync(object(0).dataSet)),
    releaseRequest,
  ]);
  const inputs = { whole, other, split, deflated, http: Buffer.from('GET / HTTP/1.1\r\n\r\n') };
  return Object.fromEntries([
    ...Object.entries(inputs).map(([name, bytes]) => [name, Buffer.concat([Buffer.of(0), bytes])]),
    ['pieces', Buffer.concat([Buffer.of(200), whole])],
  ]) as Record<string, Buffer>;
}

function associationSeeds(): Record<string, Buffer> {
  const body = (request: Parameters<typeof associateRequest>[0]): Buffer =>
    associateRequest(request).subarray(6);
  return {
    plain: body({}),
    unlimited: body({ maximumLength: 0 }),
    bare: body({ maximumLength: null, contexts: [] }),
    window: body({ userItems: [item(0x53, Buffer.of(0, 5, 0, 5))] }),
    roles: body({
      userItems: [
        item(0x54, Buffer.of(0, 3), '1.2', Buffer.of(1, 0)),
        item(0x54, Buffer.of(0, 3), '1.3', Buffer.of(0, 1)),
      ],
    }),
    identity: body({ userItems: [item(0x58, Buffer.of(1, 0, 0, 2), 'ab', Buffer.of(0, 0))] }),
    many: body({ contexts: Array.from({ length: 12 }, (_, n) => ({ ...ctContext, id: 2 * n + 1 })) }),
  };
}

function commandSeeds(): Record<string, Buffer> {
  const echo = commandSet([
    [0x0002, '1.2.840.10008.1.1'],
    [0x0100, 0x0030],
    [0x0110, 1],
    [0x0800, 0x0101],
  ]);
  return {
    store: commandSet(storeElements(object(0), 1)),
    echo,
    response: commandSet([
      [0x0002, '1.2.840.10008.1.1'],
      [0x0100, 0x8030],
      [0x0120, 1],
      [0x0800, 0x0101],
      [0x0900, 0],
    ]),
    cancel: commandSet([
      [0x0100, 0x0fff],
      [0x0120, 1],
      [0x0800, 0x0101],
    ]),
    'group-length': Buffer.concat([lyingElement(0, Buffer.of(60, 0, 0, 0)), echo]),
    padded: commandSet([...storeElements(object(0), 1), [0x1030, ' '.repeat(16)]]),
  };
}

function headerSeeds(): Record<string, Buffer> {
  const ct = (encoding: Encoding): Buffer =>
    ctSlice({ rows: 2, columns: 2, seed: 1, encoding, ...identity }).dataSet;
  const sr = (encoding: Encoding): Buffer => srDocument({ encoding, ...identity }).dataSet;
  const us = usMultiframe({ rows: 2, columns: 2, frames: 2, seed: 1, ...identity }).dataSet;
  const inputs: Record<string, readonly [variant: number, bytes: Buffer]> = {
    'ct-explicit': [0, ct('explicit-le')],
    'ct-implicit': [1, ct('implicit-le')],
    'ct-big-endian': [2, ct('explicit-be')],
    'ct-deflated': [3, deflateRawSync(ct('explicit-le'))],
    'sr-explicit': [4, sr('explicit-le')],
    'sr-implicit': [5, sr('implicit-le')],
    'sr-big-endian': [6, sr('explicit-be')],
    'us-encapsulated': [40, us],
  };
  return Object.fromEntries(
    Object.entries(inputs).map(([name, [variant, bytes]]) => [
      name,
      Buffer.concat([Buffer.of(variant), bytes]),
    ]),
  );
}

function storeAnswerSeeds(): Record<string, Buffer> {
  const sequence = (...items: object[]): object => ({ vr: 'SQ', Value: items });
  const uid = { vr: 'UI', Value: ['1.2.3'] };
  const json = JSON.stringify({
    '00081190': { vr: 'UR', Value: ['http://archive/studies/1'] },
    '00081199': sequence({ '00081155': uid, '00081196': { vr: 'US', Value: [45_056] } }),
    '00081198': sequence({
      '00081155': uid,
      '00081197': { vr: 'US', Value: ['272'] },
      '00090097': { vr: 'LT', Value: ['It already exists.'] },
    }),
  });
  const attribute = (tag: string, vr: string, content: string): string =>
    `<DicomAttribute tag="${tag}" vr="${vr}">${content}</DicomAttribute>`;
  const instance = attribute('00081155', 'UI', '<Value number="1">1.2.3</Value>');
  const xml = `<?xml version="1.0"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">${attribute('00081199', 'SQ', `<Item number="1">${instance}</Item>`)}</NativeDicomModel>`;
  return {
    json: Buffer.from(json),
    list: Buffer.from(`[${json}]`),
    utf16: Buffer.from(`\ufeff${json}`, 'utf16le'),
    xml: Buffer.from(xml),
    prefixed: Buffer.from(xml.replaceAll(/<(\/?)(?=[A-Z])/g, '<$1n:')),
    html: Buffer.from('<!DOCTYPE html><html><body>no</body></html>'),
    empty: Buffer.from(' \r\n'),
  };
}

function multipartSeeds(): Record<string, Buffer> {
  const body =
    '--b\r\nContent-Type: application/dicom\r\n\r\nABC\r\n--b\r\nX: y\r\nX: z\r\n\r\n\r\n--b--\r\n';
  return {
    related: Buffer.from(`\u0003multipart/related; type="application/dicom"; boundary=b\n${body}`, 'latin1'),
    quoted: Buffer.from(`\u0001multipart/related; boundary="a \\"b"\n--a "b\r\n\r\n1\r\n--a "b--`, 'latin1'),
    preamble: Buffer.from(`\u0040\nwords before\r\n${body}words behind`, 'latin1'),
    cut: Buffer.from(`\u0005\n${body.slice(0, 60)}`, 'latin1'),
  };
}
