import type { Priority } from '../spool/types.ts';
import type { CertificateBinding } from './tls-peer.ts';

/** A sending device as configured. */
export interface ModalityOptions {
  readonly aeTitle: string;
  /** IPv4 or IPv6 addresses and networks (`10.4.1.20`, `10.4.1.0/24`, `fd00::/8`); empty is "any address". */
  readonly addresses: readonly string[];
  readonly priority: Priority;
  /** With one, this AE title is let in only over TLS and with one of these certificates. */
  readonly certificate?: CertificateBinding | null;
}

/** Who may store here and what; can be replaced while running. */
export interface AdmissionOptions {
  readonly aeTitle: string;
  /** Further titles by which devices may call us. */
  readonly aliases: readonly string[];
  readonly unknownCallers: 'refuse' | 'accept';
  /** SOP classes that are not in the standard's registry: private ones, or newer than our table. */
  readonly unknownSopClasses: 'accept' | 'refuse';
  /** Whether whoever calls over TLS has to present a certificate of a trusted authority. */
  readonly clientCertificateRequired?: boolean;
  /** By configured name. */
  readonly modalities: Readonly<Record<string, ModalityOptions>>;
}

/** Bounds on what peers may take up. Those of the configuration, under the same names, say more. */
export interface IntakeLimits {
  readonly associationsMax: number;
  readonly associationsPerPeerMax: number;
  /** Connections without an association: not yet, or no longer. */
  readonly idleConnectionsMax: number;
  readonly idleConnectionsPerPeerMax: number;
  /**
   * Of these, on the TLS port before the end of the handshake. Fewer than all, so that a crowd there leaves
   * places to those who call in clear.
   */
  readonly handshakesMax: number;
  readonly associateBytesMax: number;
  readonly presentationContextsMax: number;
  readonly transferSyntaxesPerContextMax: number;
  /** A command set, over all its fragments. */
  readonly commandBytesMax: number;
  /** The P-DATA-TF length we ask for, and the longest we take all the same. */
  readonly pduBytesAnnounced: number;
  readonly pduBytesMax: number;
  readonly objectBytesMax: number;
  /** A data set that belongs to no object (an operation that is not offered). */
  readonly otherDataSetBytesMax: number;
  /** What still comes after the end of an association, before the connection is cut. */
  readonly lingerBytesMax: number;
}

/** All count only while the peer could go on: not while we wait for the disk. */
export interface IntakeTimers {
  /** From the TCP connection to a complete A-ASSOCIATE-RQ, a TLS handshake included. */
  readonly associateMs: number;
  /** From the end of an association to the peer closing the connection (ARTIM, PS3.8 §9.1.5). */
  readonly acseMs: number;
  /** From the last answer to the next complete command. */
  readonly idleMs: number;
  /** While an object is arriving: at least `rateBytesPerSecondMin` on average over each `rateWindowMs`. */
  readonly rateWindowMs: number;
  readonly rateBytesPerSecondMin: number;
}

/** Where devices connect. */
export interface IntakePlace {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

export interface IntakeOptions extends AdmissionOptions, IntakePlace {
  readonly limits?: Partial<IntakeLimits>;
  readonly timers?: Partial<IntakeTimers>;
}

export const intakeLimitDefaults: IntakeLimits = {
  associationsMax: 64,
  associationsPerPeerMax: 16,
  idleConnectionsMax: 64,
  idleConnectionsPerPeerMax: 16,
  handshakesMax: 32,
  associateBytesMax: 1024 * 1024,
  presentationContextsMax: 128,
  transferSyntaxesPerContextMax: 64,
  commandBytesMax: 64 * 1024,
  pduBytesAnnounced: 128 * 1024,
  pduBytesMax: 1024 * 1024,
  objectBytesMax: 16 * 1024 ** 3,
  otherDataSetBytesMax: 1024 * 1024,
  lingerBytesMax: 64 * 1024 * 1024,
};

export const intakeTimerDefaults: IntakeTimers = {
  associateMs: 10_000,
  acseMs: 30_000,
  idleMs: 60_000,
  rateWindowMs: 60_000,
  rateBytesPerSecondMin: 1024,
};
