import { faults, ProtocolFault } from './faults.ts';
import {
  applicationContextName,
  associateFixedBytes,
  echoedOffset,
  type Item,
  pduTypes,
  readItems,
  writeItem,
  writePdu,
} from './pdu.ts';

export interface ProposedContext {
  /** Odd, 1 to 255, unique. */
  readonly id: number;
  readonly abstractSyntax: string;
  /** At least one; in the order proposed. */
  readonly transferSyntaxes: readonly string[];
}

/** The roles a requestor proposes for a SOP class (PS3.7 Annex D.3.3.4). */
export interface ProposedRoles {
  readonly scu: boolean;
  readonly scp: boolean;
}

/** An A-ASSOCIATE-RQ (PS3.8 §9.3.2). Texts are as they were on the wire, without padding. */
export interface AssociationRequest {
  readonly protocolVersion: number;
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
  /** Titles and reserved bytes as they came; an A-ASSOCIATE-AC sends them back (PS3.8 table 9-17). */
  readonly echoed: Buffer;
  readonly applicationContext: string;
  /** In ascending order of their ids. */
  readonly contexts: readonly ProposedContext[];
  /** The longest P-DATA-TF variable field the peer takes; 0 is "no limit". */
  readonly pduBytesMax: number;
  /** An asynchronous operations window was proposed (PS3.7 Annex D.3.3.3). */
  readonly proposesWindow: boolean;
  /** By SOP class. */
  readonly roles: ReadonlyMap<string, ProposedRoles>;
}

/** Longer than any UID: PS3.5 §9.1 allows 64, some devices pad. */
const syntaxNameBytesMax = 80;
/**
 * Items and sub-items in one request: 128 contexts with 64 transfer syntaxes each are 8,448. A PDU of 1 MiB has room
 * for a quarter of a million, and reading those would hold up everybody else.
 */
const itemsMax = 10_000;
/** A P-DATA-TF of less cannot carry a fragment worth its header. */
const peerPduBytesMin = 16;
/** What a peer takes that forgot to say (the item is mandatory): the least common denominator. */
const peerPduBytesDefault = 16_384;

const itemTypes = {
  applicationContext: 0x10,
  presentationContext: 0x20,
  abstractSyntax: 0x30,
  transferSyntax: 0x40,
  userInformation: 0x50,
  maximumLength: 0x51,
  window: 0x53,
  roles: 0x54,
} as const;

/**
 * Reads an A-ASSOCIATE-RQ without its PDU header. Strict about lengths, ids and what must be there; unknown
 * items are passed over (PS3.8 §9.3.1).
 * @throws ProtocolFault PDU_INVALID
 */
export function readAssociationRequest(body: Buffer): AssociationRequest {
  if (body.length < associateFixedBytes) throw invalid();
  const budget: ItemBudget = { itemsLeft: itemsMax };
  let applicationContext = '';
  let user = userInformationDefaults;
  const contexts = new Map<number, ProposedContext>();
  for (const { type, content } of itemsOf(body.subarray(associateFixedBytes), budget)) {
    if (type === itemTypes.applicationContext) applicationContext = syntaxName(content);
    else if (type === itemTypes.userInformation) user = readUserInformation(content, budget);
    else if (type === itemTypes.presentationContext) {
      const context = readContext(content, budget);
      if (contexts.has(context.id)) throw invalid();
      contexts.set(context.id, context);
    }
  }
  return {
    protocolVersion: body.readUInt16BE(0),
    calledAeTitle: text(body.subarray(4, 20)),
    callingAeTitle: text(body.subarray(20, 36)),
    echoed: Buffer.from(body.subarray(echoedOffset, associateFixedBytes)),
    applicationContext,
    contexts: [...contexts.values()].toSorted((a, b) => a.id - b.id),
    ...user,
  };
}

/**
 * The request as a whole PDU again, for dcmjs-dimse: only what was understood, contexts in ascending order
 * (the library renumbers them otherwise), roles as we grant them: never SCP.
 */
export function writeAssociationRequest(request: AssociationRequest): Buffer {
  const fixed = Buffer.alloc(associateFixedBytes);
  fixed.writeUInt16BE(1, 0);
  fixed.write(request.calledAeTitle.padEnd(16), 4, 16, 'latin1');
  fixed.write(request.callingAeTitle.padEnd(16), 20, 16, 'latin1');
  const contexts = request.contexts.map((context) =>
    writeItem(itemTypes.presentationContext, [
      Buffer.of(context.id, 0, 0, 0),
      writeItem(itemTypes.abstractSyntax, [latin1(context.abstractSyntax)]),
      ...context.transferSyntaxes.map((uid) => writeItem(itemTypes.transferSyntax, [latin1(uid)])),
    ]),
  );
  const maximumLength = Buffer.alloc(4);
  maximumLength.writeUInt32BE(request.pduBytesMax);
  const roles = [...request.roles]
    .filter(([, proposed]) => proposed.scu)
    .map(([uid]) =>
      writeItem(itemTypes.roles, [Buffer.of(0, latin1(uid).length), latin1(uid), Buffer.of(1, 0)]),
    );
  return writePdu(pduTypes.associateRequest, [
    fixed,
    writeItem(itemTypes.applicationContext, [latin1(applicationContextName)]),
    ...contexts,
    writeItem(itemTypes.userInformation, [writeItem(itemTypes.maximumLength, [maximumLength]), ...roles]),
  ]);
}

/** PS3.8 §9.3.2.2. */
function readContext(content: Buffer, budget: ItemBudget): ProposedContext {
  if (content.length < 4) throw invalid();
  const id = content.readUInt8(0);
  let abstractSyntax: string | null = null;
  const transferSyntaxes: string[] = [];
  for (const item of itemsOf(content.subarray(4), budget)) {
    if (item.type === itemTypes.transferSyntax) transferSyntaxes.push(syntaxName(item.content));
    else if (item.type === itemTypes.abstractSyntax) {
      if (abstractSyntax !== null) throw invalid();
      abstractSyntax = syntaxName(item.content);
    }
  }
  if (id % 2 === 0 || abstractSyntax === null || transferSyntaxes.length === 0) throw invalid();
  return { id, abstractSyntax, transferSyntaxes };
}

type UserInformation = Pick<AssociationRequest, 'pduBytesMax' | 'proposesWindow' | 'roles'>;

const userInformationDefaults: UserInformation = {
  pduBytesMax: peerPduBytesDefault,
  proposesWindow: false,
  roles: new Map(),
};

/** PS3.8 §9.3.2.3 and Annex D, PS3.7 Annex D.3.3. */
function readUserInformation(content: Buffer, budget: ItemBudget): UserInformation {
  let { pduBytesMax, proposesWindow } = userInformationDefaults;
  const roles = new Map<string, ProposedRoles>();
  for (const item of itemsOf(content, budget)) {
    if (item.type === itemTypes.maximumLength) {
      if (item.content.length !== 4) throw invalid();
      pduBytesMax = item.content.readUInt32BE(0);
      if (pduBytesMax !== 0 && pduBytesMax < peerPduBytesMin) throw invalid();
    } else if (item.type === itemTypes.window) {
      if (item.content.length !== 4) throw invalid();
      proposesWindow = true;
    } else if (item.type === itemTypes.roles) {
      if (item.content.length < 4) throw invalid();
      const end = 2 + item.content.readUInt16BE(0);
      if (end + 2 !== item.content.length) throw invalid();
      const scu = item.content.readUInt8(end) === 1;
      roles.set(syntaxName(item.content.subarray(2, end)), {
        scu,
        scp: item.content.readUInt8(end + 1) === 1,
      });
    }
  }
  return { pduBytesMax, proposesWindow, roles };
}

/** How many items may still come, over all levels. */
interface ItemBudget {
  itemsLeft: number;
}

function itemsOf(bytes: Buffer, budget: ItemBudget): Item[] {
  const items = readItems(bytes, budget.itemsLeft);
  if (items === null) throw invalid();
  budget.itemsLeft -= items.length;
  return items;
}

function syntaxName(content: Buffer): string {
  if (content.length > syntaxNameBytesMax) throw invalid();
  return text(content);
}

function text(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/^[\0 ]+|[\0 ]+$/g, '');
}

function latin1(value: string): Buffer {
  return Buffer.from(value, 'latin1');
}

function invalid(): ProtocolFault {
  return new ProtocolFault(faults.pduInvalid);
}
