import { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'node:net';
import type { Server } from 'node:tls';
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
  readonly #underWay = new Set<Handshake>();
  /**
   * The handshake an event of the TLS library is about. The library makes a socket of its own and does not say on
   * which of ours; what it does for one runs in the context in which that one was handed over.
   */
  readonly #context = new AsyncLocalStorage<Handshake>();

  constructor(doorway: Doorway) {
    this.#doorway = doorway;
  }

  /** @param engine a TLS server that does not listen itself, and was given to `watch` */
  take(socket: Socket, engine: Server): void {
    const arrival = this.#doorway.enter(socket);
    if (arrival === null) return;
    if (this.#underWay.size >= this.#doorway.handshakesMax) {
      socket.destroy();
      arrival.leave();
      this.#doorway.turnedAway(arrival.address, tlsFaults.tooMany);
      return;
    }
    const timer = setTimeout(() => this.#fail(handshake, tlsFaults.tooSlow), this.#doorway.associateMs);
    const handshake: Handshake = { arrival, timer, begun: false };
    this.#underWay.add(handshake);
    // The cause of an error is of no use: 'close' follows.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      arrival.leave();
      // A connection that said nothing is nobody's failure: port scans and monitoring checks do that.
      if (handshake.begun) this.#fail(handshake, tlsFaults.brokenOff);
      else this.#settle(handshake);
    });
    socket.once('readable', () => this.#begin(handshake, engine));
  }

  /** Follows what the engine makes of the connections it is given. */
  watch(engine: Server): void {
    engine.on('secureConnection', (socket) => {
      const handshake = this.#context.getStore();
      if (handshake === undefined || !this.#settle(handshake)) return void socket.destroy();
      const arrival = { ...handshake.arrival, socket, tls: peerOf(socket) };
      this.#context.exit(() => this.#doorway.begin(arrival));
    });
    engine.on('tlsClientError', (error, socket) => {
      const handshake = this.#context.getStore();
      if (handshake !== undefined) this.#fail(handshake, handshakeFault(systemErrorCode(error)));
      socket.destroy();
    });
  }

  /** Closes all that are under way. */
  stop(): void {
    for (const handshake of this.#underWay) {
      this.#settle(handshake);
      handshake.arrival.socket.destroy();
    }
  }

  #begin(handshake: Handshake, engine: Server): void {
    const { socket } = handshake.arrival;
    const head = socket.read() as Buffer | null;
    if (head === null) return;
    handshake.begun = true;
    const fault = firstByteFault(head.readUInt8(0));
    if (fault !== null) return this.#fail(handshake, fault);
    socket.unshift(head);
    this.#context.run(handshake, () => engine.emit('connection', socket));
  }

  #fail(handshake: Handshake, fault: Fault): void {
    if (!this.#settle(handshake)) return;
    handshake.arrival.socket.destroy();
    this.#doorway.turnedAway(handshake.arrival.address, fault);
  }

  /** @returns false where it was settled before */
  #settle(handshake: Handshake): boolean {
    clearTimeout(handshake.timer);
    return this.#underWay.delete(handshake);
  }
}
