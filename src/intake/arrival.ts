import type { Socket } from 'node:net';
import type { Fault } from './faults.ts';
import type { TlsPeer } from './tls-peer.ts';

/** A connection that has been let in and has said nothing yet. */
export interface Arrival {
  readonly socket: Socket;
  /** Plain, as `plainAddress` gives it. */
  readonly address: string;
  /** When TCP connected, on the monotonic clock. */
  readonly openedAt: number;
  /** Gives back its slot among the connections without an association. */
  readonly leave: () => void;
  /** Null on a connection in clear. */
  readonly tls: TlsPeer | null;
}

/** Where connections go in, whichever port they came to: one house, one set of limits. */
export interface Doorway {
  readonly handshakesMax: number;
  /** From the TCP connection to a complete A-ASSOCIATE-RQ. */
  readonly associateMs: number;
  /** Takes a slot for a connection, or closes it and says why not. */
  readonly enter: (socket: Socket) => Arrival | null;
  /** The connection may send its A-ASSOCIATE-RQ. */
  readonly begin: (arrival: Arrival) => void;
  /** Records why a connection came to nothing. */
  readonly turnedAway: (address: string, fault: Fault) => void;
}
