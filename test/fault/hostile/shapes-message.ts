import fc from 'fast-check';
import {
  commandSet,
  dataPdu,
  echoCommand,
  pdu,
  releaseRequest,
  type WireFragment,
} from '../../intake/raw-client.ts';
import { answer, chopped, type Session, send, session } from './session.ts';
import { strangeName } from './shapes-association.ts';
import { chop, leave, leaveAnswered, objectIndex } from './shapes-transport.ts';
import {
  associate,
  type CommandElements,
  commandPdu,
  dataPdus,
  lyingElement,
  lyingFragment,
  object,
  store,
  storeElements,
} from './wire.ts';

/** Shapes of commands and their fragments, inside an association that was opened as it should be. */

/** Data and commands in contexts that were proposed and refused (5), or never proposed. */
export const contextNeverAccepted: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    context: fc.nat(255).filter((id) => id !== 1 && id !== 3),
    dataOnly: fc.boolean(),
    chop,
    leave: leaveAnswered,
  })
  .map(({ index, context, dataOnly, chop: cut, leave: leaving }) => {
    const made = object(index);
    const pdus = dataOnly
      ? [commandPdu(storeElements(made, 1)), ...dataPdus(made.dataSet, 16_000, context)]
      : store(made, 1, made.dataSet, context);
    return session('context never accepted', chopped(Buffer.concat([associate(), ...pdus]), cut), {
      leave: leaving,
      storesMax: 0,
      ends: ['aborted', 'closed'],
    });
  });

/** Fragments of a command and of a data set in any order, in two contexts, with and without their last marks. */
export const interleaved: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    fragments: fc.array(
      fc.record({
        command: fc.boolean(),
        last: fc.boolean(),
        context: fc.constantFrom(1, 1, 1, 3),
        from: fc.nat(400),
        bytes: fc.oneof(fc.constant(100_000), fc.nat(300)),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    inOnePdu: fc.boolean(),
    chop,
    leave,
  })
  .map(({ index, fragments, inOnePdu, chop: cut, leave: leaving }) => {
    const made = object(index);
    const whole = commandSet(storeElements(made, 1));
    const pieces: WireFragment[] = fragments.map(({ command, last, context, from, bytes }) => ({
      command,
      last,
      context,
      bytes: (command ? whole : made.dataSet).subarray(from % 3 === 0 ? 0 : from, from + bytes),
    }));
    const pdus = inOnePdu ? [dataPdu(...pieces)] : pieces.map((piece) => dataPdu(piece));
    return session('interleaved', chopped(Buffer.concat([associate(), ...pdus, releaseRequest]), cut), {
      leave: leaving,
    });
  });

/** Message ids used twice, one behind the other or before the answer. */
export const duplicateMessageIds: fc.Arbitrary<Session> = fc
  .record({
    objects: fc.array(objectIndex, { minLength: 2, maxLength: 4 }),
    ids: fc.array(fc.constantFrom(1, 1, 2, 0, 0xffff), { minLength: 4, maxLength: 4 }),
    waits: fc.boolean(),
    chop,
  })
  .map(({ objects, ids, waits, chop: cut }) => {
    const stores = objects.map((index, n) => Buffer.concat(store(object(index), ids[n] ?? 1)));
    const steps = waits
      ? [associate(), ...stores].flatMap((bytes) => [send(bytes), answer])
      : chopped(Buffer.concat([associate(), ...stores]), cut);
    return session('duplicate message ids', [...steps, send(releaseRequest)], {
      leave: 'stay',
      ends: ['released'],
    });
  });

/** The group length of a command says anything: it is not needed to read it, and the object is good. */
export const commandGroupLengthLie: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    value: fc.oneof(fc.nat(), fc.constantFrom(0, 0xffff_ffff)),
    length: fc.constantFrom(4, 0, 2, 8),
    chop,
  })
  .map(({ index, value, length, chop: cut }) => {
    const made = object(index);
    const groupLength = Buffer.alloc(8);
    groupLength.writeUInt32LE(value >>> 0);
    const bytes = Buffer.concat([
      lyingElement(0, groupLength.subarray(0, length)),
      commandSet(storeElements(made, 1)),
    ]);
    const command = dataPdu({ command: true, last: true, bytes });
    const stream = Buffer.concat([associate(), command, ...dataPdus(made.dataSet), releaseRequest]);
    return session('command group length lie', chopped(stream, cut), {
      leave: 'stay',
      ends: ['released'],
      whole: true,
    });
  });

/** One element of the command says that it is so long. */
export const commandLengthLie: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    which: fc.nat(5),
    announced: fc.oneof(fc.nat(200), fc.constantFrom(0xffff_ffff, 0x7fff_ffff, 0x1_0000)),
    chop,
    leave,
  })
  .map(({ index, which, announced, chop: cut, leave: leaving }) => {
    const made = object(index);
    const elements = storeElements(made, 1).map(([element, value], n) => {
      const honest = commandSet([[element, value]]).subarray(8);
      return lyingElement(element, honest, n === which ? announced : honest.length);
    });
    const command = dataPdu({ command: true, last: true, bytes: Buffer.concat(elements) });
    const stream = Buffer.concat([associate(), command, ...dataPdus(made.dataSet), releaseRequest]);
    return session('command length lie', chopped(stream, cut), { leave: leaving });
  });

/** A fragment says that it is so long. */
export const fragmentLengthLie: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    announced: fc.oneof(fc.nat(1000), fc.constantFrom(0, 1, 2, 0xffff_ffff, 0x8000_0000, 2 ** 20)),
    control: fc.nat(255),
    chop,
    leave,
  })
  .map(({ index, announced, control, chop: cut, leave: leaving }) => {
    const made = object(index);
    const lie = pdu(4, lyingFragment(1, control, made.dataSet, announced));
    const stream = Buffer.concat([associate(), commandPdu(storeElements(made, 1)), lie, releaseRequest]);
    return session('fragment length lie', chopped(stream, cut), { leave: leaving });
  });

/** UIDs of the command as advisories have them. */
export const strangeCommandNames: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    name: strangeName,
    element: fc.constantFrom(0x0002, 0x1000, 0x1030, 0x0600),
    chop,
    leave: leaveAnswered,
  })
  .filter(({ index, name, element }) => element > 0x1000 || element === 0x0600 || !isHonest(name, index))
  .map(({ index, name, element, chop: cut, leave: leaving }) => {
    const made = object(index);
    const elements: CommandElements = [
      ...storeElements(made, 1).filter(([each]) => each !== element),
      [element, name],
    ];
    const stream = Buffer.concat([
      associate(),
      commandPdu(elements),
      ...dataPdus(made.dataSet),
      releaseRequest,
    ]);
    // The title of a move's originator (0000,1030) and its destination (0000,0600) are not looked at.
    const named = element === 0x0002 || element === 0x1000;
    return session('strange command names', chopped(stream, cut), {
      leave: leaving,
      ...(named ? { storesMax: 0 } : {}),
    });
  });

function isHonest(name: string, index: number): boolean {
  const { SOPInstanceUID, SOPClassUID } = object(index);
  return name.includes(SOPInstanceUID) || name.includes(SOPClassUID);
}

/** Commands that no modality sends here, with data sets or without, and responses that nobody asked for. */
export const otherCommands: fc.Arbitrary<Session> = fc
  .record({
    commands: fc.array(
      fc.record({
        field: fc.oneof(
          fc.constantFrom(0x0020, 0x0021, 0x0010, 0x0fff, 0x8001, 0x8030, 0x0130, 0x0140, 0x0110),
          fc.nat(0xffff),
        ),
        messageId: fc.option(fc.nat(0xffff), { nil: null }),
        dataSetType: fc.oneof(fc.constantFrom(0, 1, 0x0101), fc.nat(0xffff)),
        context: fc.constantFrom(1, 3),
        extra: fc.uint8Array({ maxLength: 40 }),
        dataBytes: fc.oneof(
          { weight: 40, arbitrary: fc.nat(2000) },
          { weight: 1, arbitrary: fc.constantFrom(2 ** 20, 2 ** 20 + 1) },
        ),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    chop: fc.constant({ at: [] }),
    leave: leaveAnswered,
  })
  .map(({ commands, chop: cut, leave: leaving }) => {
    const pdus = commands.flatMap(({ field, messageId, dataSetType, context, extra, dataBytes }) => [
      dataPdu({
        context,
        command: true,
        last: true,
        bytes: Buffer.concat([
          commandSet([
            [0x0100, field],
            ...(messageId === null ? [] : [[0x0110, messageId] as const]),
            [0x0800, dataSetType],
          ]),
          lyingElement(0x1234, Buffer.from(extra)),
        ]),
      }),
      ...(dataSetType === 0x0101 ? [] : dataPdus(Buffer.alloc(dataBytes), 60_000, context)),
    ]);
    return session('other commands', chopped(Buffer.concat([associate(), ...pdus, releaseRequest]), cut), {
      leave: leaving,
      storesMax: 0,
    });
  });

/** Thousands of fragments of a byte, or of none. */
export const tinyFragments: fc.Arbitrary<Session> = fc
  .record({
    index: objectIndex,
    bytes: fc.constantFrom(1, 2, 3),
    empty: fc.integer({ min: 0, max: 5000 }),
    command: fc.boolean(),
    chop: fc.constant({ at: [] }),
  })
  .map(({ index, bytes, empty, command, chop: cut }) => {
    const made = object(index);
    const nothing = Array.from({ length: empty }, () => ({
      command: false,
      last: false,
      bytes: Buffer.alloc(0),
    }));
    const pieces = Array.from({ length: Math.ceil(made.dataSet.length / bytes) }, (_, n) => ({
      command: false,
      last: (n + 1) * bytes >= made.dataSet.length,
      bytes: made.dataSet.subarray(n * bytes, (n + 1) * bytes),
    }));
    const letters = [...commandSet(storeElements(made, 1))].map((byte, n, { length }) => ({
      command: true,
      last: n === length - 1,
      bytes: Buffer.of(byte),
    }));
    const first = command ? dataPdu(...letters) : commandPdu(storeElements(made, 1));
    const stream = Buffer.concat([associate(), first, dataPdu(...nothing, ...pieces), releaseRequest]);
    return session('tiny fragments', chopped(stream, cut), {
      leave: 'stay',
      ends: ['released'],
      whole: true,
    });
  });

/** PDUs of a MiB, and of a byte more. */
export const longPdus: fc.Arbitrary<Session> = fc
  .record({ index: objectIndex, over: fc.constantFrom(-1, 0, 1), leave: leaveAnswered })
  .map(({ index, over, leave: leaving }) => {
    const made = object(index);
    const long = pdu(4, lyingFragment(1, 0, Buffer.alloc(2 ** 20 - 6 + over), 2 ** 20 - 4 + over));
    const steps = [
      send(associate()),
      answer,
      send(commandPdu(storeElements(made, 1))),
      send(long),
      send(echoCommand()),
    ];
    return session('long PDUs', steps, { leave: leaving, storesMax: 0, ends: ['aborted', 'closed'] });
  });
