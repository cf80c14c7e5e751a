import { BlockList, isIP } from 'node:net';
import type { FailureText } from '../base/errors.ts';
import { GantryError } from '../base/errors.ts';
import { type AeTitle, parseAeTitle } from '../dicom/ae-title.ts';
import type { IntakeGate, Priority } from '../spool/types.ts';
import type { AssociationRequest } from './associate-request.ts';
import { senderBroken } from './faults.ts';
import type { AdmissionOptions, IntakeLimits } from './options.ts';
import { applicationContextName } from './pdu.ts';
import { spoolRefusal } from './spool-reasons.ts';
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
/** How much a request may propose. */
export type ProposalLimits = Pick<IntakeLimits, 'presentationContextsMax' | 'transferSyntaxesPerContextMax'>;

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
/** Reasons of the presentation service provider. */
const temporaryCongestion = 1;
const localLimitExceeded = 2;

/** Decides who may open an association. Pure: the same request, peer and house give the same answer. */
export class Admission {
  readonly #titles: ReadonlySet<string>;
  readonly #unknownCallers: AdmissionOptions['unknownCallers'];
  readonly #modalities = new Map<string, Modality[]>();
  readonly #clientCertificateRequired: boolean;
  readonly #limits: ProposalLimits;

  /** @throws GantryError INTAKE_ADDRESS where an address or network is not one */
  constructor(options: AdmissionOptions, limits: ProposalLimits) {
    this.#titles = new Set([options.aeTitle, ...options.aliases].map((title) => title.trim()));
    this.#unknownCallers = options.unknownCallers;
    this.#clientCertificateRequired = options.clientCertificateRequired ?? false;
    this.#limits = limits;
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

  /** The configured modality of this AE title that may call from this address, or null. */
  modalityOf(callingAeTitle: string, address: string): string | null {
    const sameTitle = this.#modalities.get(callingAeTitle) ?? [];
    return (
      sameTitle.find(({ addresses }) => addresses === null || contains(addresses, address))?.name ?? null
    );
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
    const { presentationContextsMax, transferSyntaxesPerContextMax } = this.#limits;
    if (request.contexts.length > presentationContextsMax) return reject(rejections.tooManyContexts);
    if (
      request.contexts.some(({ transferSyntaxes }) => transferSyntaxes.length > transferSyntaxesPerContextMax)
    ) {
      return reject(rejections.tooManySyntaxes);
    }
    if (!gate.open) {
      const words = { result: transient, source: presentation, reason: temporaryCongestion } as const;
      return reject({ reject: words, why: spoolRefusal(gate.reason) });
    }
    if (occupancy.associations >= occupancy.associationsMax) return reject(rejections.houseFull);
    if (occupancy.fromPeer >= occupancy.fromPeerMax) return reject(rejections.peerFull);
    return {
      admitted: true,
      caller: { aeTitle, modalityName: modality?.name ?? null, priority: modality?.priority ?? 'routine' },
    };
  }
}

/** The gateway itself calls, to see whether it answers: no setting, full house or full disk is to hide that. */
export function selfAdmitted({ callingAeTitle }: AssociationRequest): AdmissionDecision {
  const aeTitle = parseAeTitle(callingAeTitle);
  if (aeTitle === null) return { admitted: false, ...rejections.callingAeTitle, modalityName: null };
  return { admitted: true, caller: { aeTitle, modalityName: null, priority: 'routine' } };
}

interface Rejection {
  readonly reject: RejectWords;
  readonly why: Omit<FailureText, 'kind'>;
}

/** Result, source and reason are those of PS3.8 table 9-21. */
export const rejections = {
  protocolVersion: {
    reject: { result: permanent, source: acse, reason: 2 },
    why: {
      code: 'PROTOCOL_VERSION',
      message: 'The device speaks a version of the DICOM protocol that this gateway does not know.',
      nextStep: senderBroken,
    },
  },
  applicationContext: {
    reject: { result: permanent, source: serviceUser, reason: 2 },
    why: {
      code: 'APPLICATION_CONTEXT',
      message: 'The device asks for an application other than DICOM.',
      nextStep: senderBroken,
    },
  },
  calledAeTitle: {
    reject: { result: permanent, source: serviceUser, reason: 7 },
    why: {
      code: 'CALLED_AE_TITLE',
      message: 'The device asked for an AE title that is not that of this gateway.',
      nextStep:
        'Correct the called AE title in the device (upper and lower case count), or add it to "aliases" in the configuration.',
    },
  },
  callingAeTitle: {
    reject: { result: permanent, source: serviceUser, reason: 3 },
    why: {
      code: 'CALLING_AE_TITLE',
      message: 'The calling AE title belongs to no configured modality.',
      nextStep:
        'Add the device under "modalities" in the configuration with exactly this AE title, upper and lower case included.',
    },
  },
  callingAddress: {
    reject: { result: permanent, source: serviceUser, reason: 3 },
    why: {
      code: 'CALLING_ADDRESS',
      message: 'The calling AE title is configured, but not for this network address.',
      nextStep:
        'If the address of the device has changed, correct it under "modalities" in the configuration; if not, find out who is calling.',
    },
  },
  tooManyContexts: {
    reject: { result: permanent, source: presentation, reason: localLimitExceeded },
    why: {
      code: 'TOO_MANY_CONTEXTS',
      message: 'The device proposes more presentation contexts than this gateway is set to read.',
      nextStep:
        'Raise "presentationContextsMax" in the configuration, or let the device propose fewer SOP classes.',
    },
  },
  tooManySyntaxes: {
    reject: { result: permanent, source: presentation, reason: localLimitExceeded },
    why: {
      code: 'TOO_MANY_TRANSFER_SYNTAXES',
      message: 'The device proposes more transfer syntaxes in one context than this gateway is set to read.',
      nextStep:
        'Raise "transferSyntaxesPerContextMax" in the configuration, or let the device propose fewer of them.',
    },
  },
  houseFull: {
    reject: { result: transient, source: presentation, reason: localLimitExceeded },
    why: {
      code: 'ASSOCIATIONS_FULL',
      message: 'All associations of this gateway are in use; the device was asked to try again later.',
      nextStep:
        'If this repeats, look for a device that leaves associations open, or raise "associationsMax" in the configuration.',
    },
  },
  peerFull: {
    reject: { result: transient, source: presentation, reason: localLimitExceeded },
    why: {
      code: 'ASSOCIATIONS_FULL_PEER',
      message: 'This device has too many associations open at once; it was asked to try again later.',
      nextStep:
        'Reduce the number of parallel associations in the device, or raise "associationsPerPeerMax" in the configuration.',
    },
  },
} as const satisfies Record<string, Rejection>;

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
