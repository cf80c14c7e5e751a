import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { systemErrorCode } from '../base/errors.ts';
import type { Arrival } from './association.ts';
import type { Fault } from './faults.ts';
import { firstByteFault, handshakeFault, tlsFaults } from './tls-faults.ts';
import { peerOf } from './tls-peer.ts';

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

interface Handshake {
  readonly arrival: Arrival;
  readonly timer: NodeJS.Timeout;
  /** Its first byte has come. */
  begun: boolean;
}

/**
 * Connections from TCP to the end of the TLS handshake. Each has its slot and its deadline from the first moment.
 * The first byte is looked at before any of the TLS library's memory or time is spent: who says nothing costs
 * nothing, and who speaks something else is told what.
 */
export class TlsHandshakes {
  readonly #doorway: Doorway;
  /** By the two ends of the connection: the TLS library does not say which socket it speaks of. */
  readonly #underWay = new Map<string, Handshake>();

  constructor(doorway: Doorway) {
    this.#doorway = doorway;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** @param engine a TLS server that does not listen itself, and was given to `watch` */
  take(socket: Socket, engine: Server): void {
    const arrival = this.#doorway.enter(socket);
    if (arrival === null) return;
    const ends = endsOf(socket);
    if (ends === null || this.#underWay.size >= this.#doorway.handshakesMax) {
      socket.destroy();
      arrival.leave();
      if (ends !== null) this.#doorway.turnedAway(arrival.address, tlsFaults.tooMany);
      return;
    }
    const timer = setTimeout(() => this.#fail(ends, tlsFaults.tooSlow), this.#doorway.associateMs);
    const handshake: Handshake = { arrival, timer, begun: false };
    this.#underWay.set(ends, handshake);
    // The cause of an error is of no use: 'close' follows.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      arrival.leave();
      if (this.#underWay.get(ends) !== handshake) return;
      // A connection that said nothing is nobody's failure: port scans and monitoring checks do that.
      if (handshake.begun) this.#fail(ends, tlsFaults.brokenOff);
      else this.#settle(ends);
    });
    socket.once('readable', () => this.#begin(ends, socket, engine));
  }

  /** Follows what the engine makes of the connections it is given. */
  watch(engine: Server): void {
    engine.on('secureConnection', (socket) => this.#secured(socket));
    engine.on('tlsClientError', (error, socket) => {
      const ends = endsOf(socket) ?? this.#endsOfFallen();
      if (ends !== null) this.#fail(ends, handshakeFault(systemErrorCode(error)));
      socket.destroy();
    });
  }

  /** Closes all that are under way. */
  stop(): void {
    for (const ends of this.#underWay.keys()) this.#settle(ends)?.arrival.socket.destroy();
  }

  /** A socket that its peer has reset knows its ends no more; the one below it has just fallen too. */
  #endsOfFallen(): string | null {
    for (const [ends, { arrival }] of this.#underWay) if (arrival.socket.destroyed) return ends;
    return null;
  }

  #begin(ends: string, socket: Socket, engine: Server): void {
    const handshake = this.#underWay.get(ends);
    const head = socket.read() as Buffer | null;
    if (handshake === undefined || head === null) return;
    handshake.begun = true;
    const fault = firstByteFault(head.readUInt8(0));
    if (fault !== null) return this.#fail(ends, fault);
    socket.unshift(head);
    engine.emit('connection', socket);
  }

  #secured(socket: TLSSocket): void {
    const ends = endsOf(socket);
    const handshake = ends === null ? null : this.#settle(ends);
    if (handshake === null) return void socket.destroy();
    this.#doorway.begin({ ...handshake.arrival, socket, tls: peerOf(socket) });
  }

  #fail(ends: string, fault: Fault): void {
    const handshake = this.#settle(ends);
    if (handshake === null) return;
    handshake.arrival.socket.destroy();
    this.#doorway.turnedAway(handshake.arrival.address, fault);
  }

  #settle(ends: string): Handshake | null {
    const handshake = this.#underWay.get(ends);
    if (handshake === undefined) return null;
    clearTimeout(handshake.timer);
    this.#underWay.delete(ends);
    return handshake;
  }
}

function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string | null {
  return remotePort === undefined ? null : `${remoteAddress} ${remotePort} ${localAddress}`;
}
