import { BlockList, isIP } from 'node:net';
import type { FailureText, Reason } from '../base/errors.ts';
import { GantryError } from '../base/errors.ts';
import { type AeTitle, parseAeTitle } from '../dicom/ae-title.ts';
import type { IntakeGate, Priority } from '../spool/types.ts';
import type { AssociationRequest } from './associate-request.ts';
import type { AdmissionOptions } from './options.ts';
import { applicationContextName } from './pdu.ts';
import { type CertificateBinding, certificateProblem, type TlsPeer } from './tls-peer.ts';

/** Who is calling. */
export interface Caller {
  readonly aeTitle: AeTitle;
  /** Null for an unknown caller that was accepted. */
  readonly modalityName: string | null;
  readonly priority: Priority;
}

/** What an A-ASSOCIATE-RJ says (PS3.8 table 9-21). */
export interface RejectWords {
  readonly result: 1 | 2;
  readonly source: 1 | 2 | 3;
  readonly reason: number;
}

export type AdmissionDecision =
  | { readonly admitted: true; readonly caller: Caller }
  | {
      readonly admitted: false;
      readonly reject: RejectWords;
      readonly why: Omit<FailureText, 'kind'>;
      /** The modality that seems to be calling, so that the refusal can be shown with it. */
      readonly modalityName: string | null;
    };

/** How full the house is, as seen by one peer address. */
export interface Occupancy {
  readonly associations: number;
  readonly associationsMax: number;
  readonly fromPeer: number;
  readonly fromPeerMax: number;
}

/** A connection over TLS. */
export interface SecuredConnection {
  readonly peer: TlsPeer;
  /** Milliseconds since the epoch: certificates are valid for a time. */
  readonly now: number;
}

interface Modality {
  readonly name: string;
  readonly priority: Priority;
  /** Null is "any address". */
  readonly addresses: BlockList | null;
  readonly certificate: CertificateBinding | null;
}

const permanent = 1;
const transient = 2;
const serviceUser = 1;
const acse = 2;
const presentation = 3;

/** Decides who may open an association. Pure: the same request, peer and house give the same answer. */
export class Admission {
  readonly #titles: ReadonlySet<string>;
  readonly #unknownCallers: AdmissionOptions['unknownCallers'];
  readonly #modalities = new Map<string, Modality[]>();
  readonly #clientCertificateRequired: boolean;
  readonly #syntaxesMax: number;

  /** @throws GantryError INTAKE_ADDRESS where an address or network is not one */
  constructor(options: AdmissionOptions, syntaxesMax: number) {
    this.#titles = new Set([options.aeTitle, ...options.aliases].map((title) => title.trim()));
    this.#unknownCallers = options.unknownCallers;
    this.#clientCertificateRequired = options.clientCertificateRequired ?? false;
    this.#syntaxesMax = syntaxesMax;
    for (const [name, entry] of Object.entries(options.modalities)) {
      const { priority, addresses, certificate = null } = entry;
      const title = entry.aeTitle.trim();
      const list = addresses.length > 0 ? addressList(addresses) : null;
      const modality = { name, priority, addresses: list, certificate };
      const sameTitle = this.#modalities.get(title);
      if (sameTitle === undefined) this.#modalities.set(title, [modality]);
      else sameTitle.push(modality);
    }
  }

  /** @param secured null for a connection in clear */
  decide(
    request: AssociationRequest,
    peerAddress: string,
    gate: IntakeGate,
    occupancy: Occupancy,
    secured: SecuredConnection | null = null,
  ): AdmissionDecision {
    const sameTitle = this.#modalities.get(request.callingAeTitle) ?? [];
    const address = plainAddress(peerAddress);
    const modality = sameTitle.find(({ addresses }) => addresses === null || contains(addresses, address));
    const modalityName = (modality ?? sameTitle[0])?.name ?? null;
    const reject = (rejection: Rejection): AdmissionDecision => ({
      admitted: false,
      ...rejection,
      modalityName,
    });

    if ((request.protocolVersion & 1) === 0) return reject(rejections.protocolVersion);
    if (request.applicationContext !== applicationContextName) return reject(rejections.applicationContext);
    if (!this.#titles.has(request.calledAeTitle)) return reject(rejections.calledAeTitle);
    const aeTitle = parseAeTitle(request.callingAeTitle);
    if (aeTitle === null) return reject(rejections.callingAeTitle);
    // A bound title belongs to its devices alone: nobody goes by it as an unknown caller.
    const bound = sameTitle.some(({ certificate }) => certificate !== null);
    if (modality === undefined && (bound || this.#unknownCallers === 'refuse')) {
      return reject(sameTitle.length > 0 ? rejections.callingAddress : rejections.callingAeTitle);
    }
    const certificate = certificateProblem(
      modality?.certificate ?? null,
      this.#clientCertificateRequired,
      secured?.peer ?? null,
      secured?.now ?? 0,
    );
    if (certificate !== null) return reject({ reject: rejections.callingAeTitle.reject, why: certificate });
    if (request.contexts.some(({ transferSyntaxes }) => transferSyntaxes.length > this.#syntaxesMax)) {
      return reject(rejections.tooManySyntaxes);
    }
    if (!gate.open) return reject(spoolClosed(gate.reason));
    if (occupancy.associations >= occupancy.associationsMax) return reject(rejections.houseFull);
    if (occupancy.fromPeer >= occupancy.fromPeerMax) return reject(rejections.peerFull);
    return {
      admitted: true,
      caller: { aeTitle, modalityName: modality?.name ?? null, priority: modality?.priority ?? 'routine' },
    };
  }
}

interface Rejection {
  readonly reject: RejectWords;
  readonly why: Omit<FailureText, 'kind'>;
}

const rejections = {
  protocolVersion: {
    reject: { result: permanent, source: acse, reason: 2 },
    why: {
      code: 'PROTOCOL_VERSION',
      message: 'The caller speaks a version of the DICOM protocol that does not exist here.',
      nextStep: 'Ask the vendor of the device.',
    },
  },
  applicationContext: {
    reject: { result: permanent, source: serviceUser, reason: 2 },
    why: {
      code: 'APPLICATION_CONTEXT',
      message: 'The caller asks for an application other than DICOM.',
      nextStep: 'Ask the vendor of the device.',
    },
  },
  calledAeTitle: {
    reject: { result: permanent, source: serviceUser, reason: 7 },
    why: {
      code: 'CALLED_AE_TITLE',
      message: 'The caller asked for an AE title that is not ours.',
      nextStep: "Correct the called AE title in the device, or add it to this gateway's aliases.",
    },
  },
  callingAeTitle: {
    reject: { result: permanent, source: serviceUser, reason: 3 },
    why: {
      code: 'CALLING_AE_TITLE',
      message: 'The calling AE title belongs to no configured modality.',
      nextStep: 'Add the device under modalities with exactly this AE title, upper and lower case included.',
    },
  },
  callingAddress: {
    reject: { result: permanent, source: serviceUser, reason: 3 },
    why: {
      code: 'CALLING_ADDRESS',
      message: 'The calling AE title is configured, but not for this network address.',
      nextStep:
        "If the device's address has changed, correct it under modalities; if not, find out who is calling.",
    },
  },
  tooManySyntaxes: {
    reject: { result: permanent, source: presentation, reason: 2 },
    why: {
      code: 'TOO_MANY_TRANSFER_SYNTAXES',
      message: 'The caller proposes more transfer syntaxes in one context than this gateway reads.',
      nextStep: 'Reduce the transfer syntaxes in the device.',
    },
  },
  houseFull: {
    reject: { result: transient, source: presentation, reason: 2 },
    why: {
      code: 'ASSOCIATIONS_FULL',
      message: 'All associations of this gateway are in use.',
      nextStep:
        'The device will try again. If this repeats, look for a device that leaves associations open.',
    },
  },
  peerFull: {
    reject: { result: transient, source: presentation, reason: 2 },
    why: {
      code: 'ASSOCIATIONS_FULL_PEER',
      message: 'This device has too many associations open at once.',
      nextStep: 'Reduce the number of parallel associations in the device.',
    },
  },
} as const satisfies Record<string, Rejection>;

function spoolClosed(reason: Reason): Rejection {
  return {
    reject: { result: transient, source: presentation, reason: 1 },
    why: {
      code: reason.code,
      message: reason.words,
      nextStep: "See the gateway's disk on its page; the device will try again.",
    },
  };
}

/** An IPv4 address without the IPv6 prefix it may come in, an IPv6 address without its zone. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? address.replace(/%.*$/, '');
}

function contains(list: BlockList, address: string): boolean {
  const version = isIP(address);
  return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

function addressList(addresses: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of addresses) {
    const [network = '', prefix] = text.trim().split('/');
    const plain = plainAddress(network);
    const version = isIP(plain);
    const bits = prefix === undefined ? null : Number(prefix);
    const bitsMax = version === 4 ? 32 : 128;
    const bitsOk = bits === null || (/^\d{1,3}$/.test(prefix ?? '') && bits <= bitsMax);
    if (version === 0 || !bitsOk) throw badAddress();
    const family = version === 4 ? 'ipv4' : 'ipv6';
    if (bits === null) list.addAddress(plain, family);
    else list.addSubnet(plain, bits, family);
  }
  return list;
}

function badAddress(): GantryError {
  return new GantryError({
    code: 'INTAKE_ADDRESS',
    kind: 'permanent',
    message: "A modality's address is neither an IP address nor a network such as 10.4.1.0/24.",
    nextStep: 'Correct the addresses under modalities.',
  });
}
