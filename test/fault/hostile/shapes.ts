import fc from 'fast-check';
import type { Session } from './session.ts';
import * as association from './shapes-association.ts';
import * as dataSet from './shapes-data-set.ts';
import * as message from './shapes-message.ts';
import * as transport from './shapes-transport.ts';

/** All shapes and how often each is played. Those that move megabytes are rare; each is played all the same. */
const weights: readonly (readonly [weight: number, arbitrary: fc.Arbitrary<Session>])[] = [
  [40, transport.good],
  [60, transport.foreign],
  [80, transport.wrongOrder],
  [60, transport.pduLengthLie],
  [60, transport.halfOpen],
  [10, transport.slowloris],
  [70, transport.abortMidPdu],
  [2, transport.deaf],
  [160, transport.mutated],
  [60, association.itemLengthLie],
  [30, association.nestedItems],
  [1, association.itemFlood],
  [60, association.contexts],
  [40, association.names],
  [40, message.contextNeverAccepted],
  [60, message.interleaved],
  [30, message.duplicateMessageIds],
  [15, message.commandGroupLengthLie],
  [40, message.commandLengthLie],
  [40, message.fragmentLengthLie],
  [40, message.strangeCommandNames],
  [20, message.otherCommands],
  [8, message.tinyFragments],
  [1, message.longPdus],
  [30, dataSet.cutDataSet],
  [20, dataSet.noDataSet],
  [30, dataSet.lastLengthLie],
  [50, dataSet.vrLie],
  [40, dataSet.otherUidInside],
  [15, dataSet.groupLengthLie],
  [15, dataSet.nesting],
  [30, dataSet.strayStructure],
  [15, dataSet.deflated],
  [20, dataSet.otherSyntax],
  [5, dataSet.elementFlood],
];

export const hostileSession: fc.Arbitrary<Session> = fc.oneof(
  ...weights.map(([weight, arbitrary]) => ({ weight, arbitrary })),
);
