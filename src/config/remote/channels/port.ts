import type { Log } from '../../../base/log.ts';
import type { BoxName, ChannelKind, FleetName, InboundKind } from '../documents.ts';
import type { FailureText } from '../../../base/errors.ts';

/** What a channel brings to and fetches from; it judges nothing itself. */
export interface ChannelAgent {
  /** Bytes that came in, as they came; what becomes of them is not the channel's concern. */
  offer(kind: InboundKind, bytes: Buffer, via: ChannelKind): Promise<unknown>;
  /** The report of this box, signed. */
  report(): Promise<Buffer>;
  /** Called whenever there is something new to report. */
  onReport(listener: () => void): () => void;
  /** Central IT was reached this way, with the settings now in use. */
  channelBack(via: ChannelKind): void;
}

/** PEM texts. */
export interface ClientCredentials {
  readonly cert: string;
  readonly key: string;
}

export interface ChannelParts {
  readonly agent: ChannelAgent;
  readonly fleet: FleetName;
  readonly device: BoxName;
  /** What a setting that names a file stands for. @throws where it cannot be had */
  readonly readText: (path: string) => Promise<string>;
  /** What this box got at its enrolment, or later; null before. */
  readonly ownCertificate: () => Promise<ClientCredentials | null>;
  readonly log: Log;
}

/** For status and support: never an address, never what was carried. */
export interface ChannelState {
  readonly kind: ChannelKind;
  /** When central IT was last reached this way (ms since the epoch), or null. */
  readonly contactAt: number | null;
  /** When it is asked or tried next (ms since the epoch); null where it is open, or nobody knows. */
  readonly nextAt: number | null;
  /** Why it cannot be reached at present, or null. */
  readonly failure: FailureText | null;
}

export interface Channel {
  start(): void;
  stop(): Promise<void>;
  state(): ChannelState;
}

/** A box repeats its report after so long without news, so that a record that was lost heals. */
export const reportEveryMs = 15 * 60_000;

/** Place of a document of one box below the folder of the record, and below `gantry-fleet/` on a stick. */
export function recordPath(fleet: FleetName, device: BoxName, kind: InboundKind | 'reported'): string {
  if (kind === 'trust') return `v1/${fleet}/trust.jws`;
  return `v1/${fleet}/${device}/${kind}.${kind === 'freshness' ? 'json' : kind === 'certificate' ? 'pem' : 'jws'}`;
}

/** Place of the list of revoked certificates, below the folder of the record: for web servers and brokers. */
export function revocationPath(fleet: FleetName): string {
  return `v1/${fleet}/crl.pem`;
}

/** MQTT topic of a document of one box: five levels, inside the limits of every broker known to us. */
export function topicOf(
  fleet: FleetName,
  device: BoxName,
  kind: InboundKind | 'reported' | 'presence',
): string {
  return `gantry/v1/${fleet}/${device}/${kind}`;
}

/** In the order in which they are of use: who is believed, what is newest, then what it says. */
export const inOrder = [
  'trust',
  'certificate',
  'freshness',
  'desired',
  'command',
] as const satisfies readonly InboundKind[];
