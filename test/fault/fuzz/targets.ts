import { isDeepStrictEqual } from 'node:util';
import dicomParser from 'dicom-parser';
import { readStoreResponse } from '../../../src/archive/store-answer.ts';
import { silentLog } from '../../../src/base/log.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { GantryError } from '../../../src/base/errors.ts';
import { DataSetInspector, type Inspection } from '../../../src/dicom/inspector.ts';
import { multipartBoundary, multipartParts } from '../../../src/dicom/multipart.ts';
import { readAssociationRequest, writeAssociationRequest } from '../../../src/intake/associate-request.ts';
import { readCommandSet, writeCommandSet } from '../../../src/intake/command-set.ts';
import { ProtocolFault } from '../../../src/intake/faults.ts';
import { IntakeListener } from '../../../src/intake/listener.ts';
import type { IntakeOptions } from '../../../src/intake/options.ts';
import { RecorderSpool } from '../../intake/recorder-spool.ts';
import { memoryLine, serverOf } from '../hostile/lines.ts';
import { play } from '../hostile/peer.ts';
import { chopped, session } from '../hostile/session.ts';
import { syntaxes } from '../hostile/wire.ts';
import type { Target } from './engine.ts';

/** What is fuzzed. The first byte of an input chooses a variant where there are several. */

function claim(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** Runs a reader that may refuse its input, but only in one way. */
function refusable<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtocolFault) return null;
    throw error;
  }
}

function latin(...words: string[]): Buffer[] {
  return words.map((word) => Buffer.from(word, 'latin1'));
}

const uids = latin(
  ...Object.values(syntaxes),
  '1.2.840.10008.3.1.1.1',
  '1.2.840.10008.5.1.4.1.1.2',
  '1.2.840.10008.1.1',
);

const association: Target = {
  name: 'association',
  words: [
    ...uids,
    ...[0x10, 0x20, 0x30, 0x40, 0x50, 0x51, 0x53, 0x54].map((type) => Buffer.of(type, 0, 0, 4, 1, 0, 0, 0)),
  ],
  run: (input) => {
    const request = refusable(() => readAssociationRequest(input));
    if (request === null) return;
    claim(request.contexts.length <= 128, 'more contexts than there are ids');
    // What the library is given says the same as what was read.
    const again = readAssociationRequest(writeAssociationRequest(request).subarray(6));
    claim(isDeepStrictEqual(again.contexts, request.contexts), 'contexts are not written as they were read');
    claim(again.pduBytesMax === request.pduBytesMax, 'the PDU length is not written as it was read');
  },
};

const command: Target = {
  name: 'command',
  words: [
    ...uids,
    ...[0x0000, 0x0002, 0x0100, 0x0110, 0x0120, 0x0700, 0x0800, 0x0900, 0x1000].map((element) =>
      Buffer.of(0, 0, element & 0xff, element >>> 8, 2, 0, 0, 0, 1, 0),
    ),
  ],
  run: (input) => {
    const read = refusable(() => readCommandSet(input));
    if (read === null) return;
    const { CommandField, MessageID, AffectedSOPClassUID, AffectedSOPInstanceUID } = read;
    const CommandDataSetType = read.hasDataSet ? 0 : 0x0101;
    const values = {
      CommandField,
      MessageID,
      CommandDataSetType,
      AffectedSOPClassUID,
      AffectedSOPInstanceUID,
    };
    const again = readCommandSet(writeCommandSet(values));
    const empty = (text: string | null): string => text ?? '';
    claim(
      again.CommandField === CommandField && again.MessageID === MessageID,
      'numbers are written otherwise',
    );
    claim(
      empty(again.AffectedSOPInstanceUID) === empty(AffectedSOPInstanceUID),
      'the UID is written otherwise',
    );
  },
};

const syntaxNames = [syntaxes.explicit, syntaxes.implicit, syntaxes.big, syntaxes.deflated];

/** The first byte: bits 0 and 1 choose the transfer syntax, the rest how long the pieces are. */
const header: Target = {
  name: 'header',
  words: [
    Buffer.from('feff00e0ffffffff', 'hex'),
    Buffer.from('feff0de000000000', 'hex'),
    Buffer.from('feffdde000000000', 'hex'),
    Buffer.from('080018005549', 'hex'),
    Buffer.from('08001600554900001000', 'hex'),
    Buffer.from('e07f10004f570000', 'hex'),
    ...latin('SQ', 'UN', 'OB', 'OW', 'UT', 'UI', 'US', '\0\0', '1.2.3'),
  ],
  run: async (input) => {
    const choice = input[0] ?? 0;
    const bytes = input.subarray(1);
    const syntax = syntaxNames[choice & 3] ?? '';
    const whole = await inspect(syntax, bytes, bytes.length);
    // Each piece of a deflated one takes its turn in the thread pool: not byte by byte.
    const pieceBytes = (1 + (choice >>> 2)) * (syntax === syntaxes.deflated ? 64 : 1);
    const pieces = await inspect(syntax, bytes, pieceBytes);
    // Of two things that are wrong, the first to be seen is named.
    const same = whole.ok === pieces.ok && (!whole.ok || isDeepStrictEqual(whole, pieces));
    claim(same, 'what is found depends on the pieces it comes in');
    const otherUid = whole.ok ? otherReadersUid(syntax, bytes) : null;
    if (whole.ok && whole.facts.SOPInstanceUID !== null && otherUid !== null) {
      claim(whole.facts.SOPInstanceUID === otherUid, 'another reader finds another instance in it');
    }
    if (!whole.ok) claim(whole.words.length <= 64, 'words too long for an Error Comment');
  },
};

/** What dicom-parser, as others use it, takes for the SOP Instance UID; null where it reads none. */
function otherReadersUid(syntax: string, bytes: Buffer): string | null {
  if (syntax === syntaxes.deflated) return null;
  const name = Buffer.from(syntax.length % 2 === 0 ? syntax : `${syntax}\0`);
  const meta = Buffer.concat([Buffer.from('DICM\u0002\0\u0010\0UI'), Buffer.of(name.length, 0), name]);
  try {
    const dataSet = dicomParser.parseDicom(Buffer.concat([Buffer.alloc(128), meta, bytes]));
    return dataSet.string('x00080018') ?? null;
  } catch {
    return null;
  }
}

async function inspect(syntax: string, bytes: Buffer, pieceBytes: number): Promise<Inspection> {
  const inspector = new DataSetInspector(syntax);
  for (let at = 0; at < bytes.length && inspector.failure === null; at += pieceBytes) {
    // A copy: what is handed over is not to be looked at again.
    await inspector.push(Buffer.from(bytes.subarray(at, at + pieceBytes)));
  }
  return inspector.finish();
}

const storeAnswer: Target = {
  name: 'store-answer',
  words: latin(
    '{"00081199":{"vr":"SQ","Value":[',
    '"00081155"',
    '{"vr":"UI","Value":["1.2"]}',
    ']}}',
    '"00081198"',
    '"00081197"',
    '<NativeDicomModel>',
    '<DicomAttribute tag="00081199" vr="SQ">',
    '<Item number="1">',
    '<Value number="1">',
    '</Value>',
    '</Item>',
    '</DicomAttribute>',
    '</NativeDicomModel>',
    '<![CDATA[',
    ']]>',
    '<!--',
    '<?xml ',
    '__proto__',
    '\u00ef\u00bb\u00bf',
    '\u00ff\u00fe',
    'null',
    '1e999',
    '\\u0000',
  ),
  run: async (input) => {
    for (const type of [null, 'application/dicom+json; charset=utf-16', 'application/dicom+xml']) {
      const { body, referenced, failed } = await readStoreResponse(input, type);
      claim(['parsed', 'empty', 'unreadable'].includes(body), 'an unknown kind of body');
      for (const { SOPInstanceUID } of [...referenced, ...failed]) {
        claim(typeof SOPInstanceUID === 'string', 'a UID that is no text');
      }
      if (body !== 'parsed') claim(referenced.length + failed.length === 0, 'instances of no answer');
    }
  },
};

/** The first byte is the length of the pieces, the next bytes up to a line end are the media type. */
const multipart: Target = {
  name: 'multipart',
  words: latin(
    '\r\n--b',
    '\r\n--b--',
    '\r\n\r\n',
    '--',
    'Content-Type: application/dicom',
    'multipart/related; boundary=b',
    '"',
    ';',
  ),
  run: async (input) => {
    const lineEnd = input.indexOf(0x0a, 1);
    const boundary = multipartBoundary(input.toString('latin1', 1, lineEnd < 0 ? 1 : lineEnd)) ?? 'b';
    const body = input.subarray(lineEnd < 0 ? 1 : lineEnd + 1);
    const whole = await partsOf(body, boundary, Math.max(1, body.length));
    const pieces = await partsOf(body, boundary, 1 + (input[0] ?? 0));
    claim(isDeepStrictEqual(whole, pieces), 'the parts depend on the pieces they come in');
  },
};

async function partsOf(body: Buffer, boundary: string, pieceBytes: number): Promise<string[] | null> {
  const pieces = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
  };
  const parts: string[] = [];
  try {
    for await (const { headers, content } of multipartParts(pieces(), boundary)) {
      const bytes: Buffer[] = [];
      for await (const piece of content) bytes.push(piece);
      parts.push(`${JSON.stringify([...headers])} ${Buffer.concat(bytes).toString('hex')}`);
    }
    return parts;
  } catch (error) {
    if (error instanceof GantryError && error.code === 'MULTIPART_INVALID') return null;
    throw error;
  }
}

/** The whole door, from the first byte to the last; the first byte of an input is how it is cut. */
async function gate(): Promise<Target> {
  const spool = new RecorderSpool();
  const options: IntakeOptions = {
    host: '127.0.0.1',
    port: 0,
    aeTitle: 'GANTRY',
    aliases: [],
    modalities: {},
    unknownCallers: 'accept',
    unknownSopClasses: 'accept',
    timers: { acseMs: 1000 },
  };
  const listener = new IntakeListener(options, { spool, clock: systemClock, log: silentLog });
  const server = await serverOf(() => listener.start());
  server.unref();
  return {
    name: 'gate',
    words: [
      ...association.words,
      ...command.words,
      Buffer.of(4, 0, 0, 0, 0, 20, 0, 0, 0, 16, 1, 3),
      Buffer.of(5, 0, 0, 0, 0, 4, 0, 0, 0, 0),
    ],
    run: async (input) => {
      const choice = input[0] ?? 0;
      const chop = choice < 128 ? { at: [] } : { every: choice - 127 };
      const played = session('fuzzed', chopped(input.subarray(1), chop), { leave: 'half-close' });
      const { faults } = await play(played, await memoryLine(server, '127.0.0.1'));
      claim(faults.length === 0, faults.join('; '));
      await settled(() => listener.stats().idleConnections + listener.stats().associations === 0);
      claim(listener.stats().refusalCounts['INTAKE_INTERNAL'] === undefined, 'it failed inside');
      await settled(() => spool.objects.every(({ state }) => state !== 'incoming'));
      spool.objects.length = 0;
    },
  };
}

async function settled(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

export const targetNames = ['gate', 'association', 'command', 'header', 'store-answer', 'multipart'] as const;
export type TargetName = (typeof targetNames)[number];

export async function targetOf(name: TargetName): Promise<Target> {
  if (name === 'gate') return gate();
  return { association, command, header, 'store-answer': storeAnswer, multipart }[name];
}
