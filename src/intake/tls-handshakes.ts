import { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { systemErrorCode } from '../base/errors.ts';
import type { Arrival, Doorway } from './arrival.ts';
import type { Fault } from './faults.ts';
import { Pace } from './pace.ts';
import { firstByteFault, handshakeFault, tlsFaults } from './tls-faults.ts';
import { peerOf, type TlsPeer } from './tls-peer.ts';

interface Handshake {
  readonly arrival: Arrival;
  readonly timer: NodeJS.Timeout;
  /** Its first byte has come. */
  begun: boolean;
}

/**
 * A handshake takes about 3 ms of the processor, which everybody shares: a crowd has to queue, so that receiving in
 * clear goes on beside it.
 */
const handshakePace = { burst: 32, perSecond: 50 };

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
  readonly #pace: Pace;
  /** Begun, and waiting for their turn. */
  readonly #queue: { readonly handshake: Handshake; readonly engine: Server }[] = [];
  #turn: NodeJS.Timeout | null = null;

  constructor(doorway: Doorway, clock: Clock) {
    this.#doorway = doorway;
    this.#pace = new Pace(clock, handshakePace);
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
      if (handshake === undefined) socket.destroy();
      else this.#context.exit(() => this.#secured(handshake, socket));
    });
    engine.on('tlsClientError', (error, socket) => {
      const handshake = this.#context.getStore();
      if (handshake !== undefined) this.#fail(handshake, handshakeFault(systemErrorCode(error)));
      socket.destroy();
    });
  }

  /** Closes all that are under way. */
  stop(): void {
    clearTimeout(this.#turn ?? undefined);
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
    this.#queue.push({ handshake, engine });
    if (this.#turn === null) this.#proceed();
  }

  /** Hands those over whose turn it is. */
  #proceed(): void {
    this.#turn = null;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const { handshake, engine } = next;
      if (this.#underWay.has(handshake) && !handshake.arrival.socket.destroyed) {
        const waitMs = this.#pace.take();
        if (waitMs > 0) {
          this.#turn = setTimeout(() => this.#proceed(), waitMs);
          return;
        }
        this.#context.run(handshake, () => engine.emit('connection', handshake.arrival.socket));
      }
      this.#queue.shift();
    }
  }

  #secured(handshake: Handshake, socket: TLSSocket): void {
    // After a broken record Node says 'error' and keeps the connection, which can neither be read nor written.
    socket.on('error', () => socket.destroy());
    let tls: TlsPeer;
    try {
      tls = peerOf(socket);
    } catch {
      // A certificate that cannot be read is no reason to end the process.
      return this.#fail(handshake, tlsFaults.failed);
    }
    if (this.#settle(handshake)) this.#doorway.begin({ ...handshake.arrival, socket, tls });
    else socket.destroy();
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
