import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { SpoolIntake } from '../spool/types.ts';
import { Admission, plainAddress } from './admission.ts';
import type { Arrival, Doorway } from './arrival.ts';
import { type Attempt, AttemptBook, type UnknownCaller } from './attempts.ts';
import { type House, type HouseRules, IntakeAssociation } from './association.ts';
import { type Fault, faults } from './faults.ts';
import {
  type AdmissionOptions,
  type IntakeOptions,
  type IntakePlace,
  intakeLimitDefaults,
  intakeTimerDefaults,
} from './options.ts';
import { type Refusal, RefusalBook } from './refusals.ts';
import { type SelfCall, SelfCalls } from './self-calls.ts';
import { Slots } from './slots.ts';
import { type SenderTally, Tally } from './tally.ts';

export interface IntakeDeps {
  readonly spool: SpoolIntake;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SenderStats extends SenderTally {
  readonly lastRefusal: Refusal | null;
}

/** What the listener has seen since it was made. */
export interface IntakeStats {
  /** Open now. */
  readonly associations: number;
  readonly associationsMax: number;
  /** Open now, without an association. */
  readonly idleConnections: number;
  readonly idleConnectionsMax: number;
  /** Of ended associations and of those still open. */
  readonly bytesIn: number;
  /** C-STOREs answered with 0000. */
  readonly received: number;
  readonly echoes: number;
  /** P-DATA-TF PDUs longer than announced. */
  readonly longPdus: number;
  /** Answers to C-STORE by status in hex, e.g. `A700`. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly refusalCounts: Readonly<Record<string, number>>;
  /** Newest first. */
  readonly refusals: readonly Refusal[];
  /** By configured name. A modality that was never heard has no entry unless it was refused. */
  readonly modalities: ReadonlyMap<string, SenderStats>;
  /** By AE title, least recently heard first: unknown callers that were accepted. Bounded. */
  readonly unknownSenders: ReadonlyMap<string, SenderTally>;
}

/** From an abort at shutdown to the connection being cut, so that the peer can read why. */
const lastWordsMs = 1000;
/** For what is being made durable when the last connection is cut; a disk that hangs does not hang the shutdown. */
const settleMsMax = 10_000;

/** The DICOM port in clear, and what all who come in have in common: the limits, who was heard last. */
export class IntakeListener implements Doorway {
  #house: House;
  readonly #log: Log;
  readonly #open = new Set<IntakeAssociation>();
  readonly #options: IntakeOptions;
  #rules: HouseRules;
  /** By the place they were asked to listen at; the first is the one people are told of. */
  readonly #servers = new Map<string, Server>();

  /** @throws GantryError INTAKE_ADDRESS */
  constructor(options: IntakeOptions, deps: IntakeDeps) {
    const limits = { ...intakeLimitDefaults, ...options.limits };
    const timers = { ...intakeTimerDefaults, ...options.timers };
    this.#log = deps.log.child({ room: 'intake' });
    this.#options = options;
    this.#house = {
      spool: deps.spool,
      clock: deps.clock,
      limits,
      timers,
      refusals: new RefusalBook(deps.clock, this.#log),
      attempts: new AttemptBook(deps.clock),
      tally: new Tally(deps.clock),
      associations: new Slots(limits.associationsMax, limits.associationsPerPeerMax),
      idleConnections: new Slots(limits.idleConnectionsMax, limits.idleConnectionsPerPeerMax),
      selfCalls: new SelfCalls(),
    };
    this.#rules = this.#compile(options);
  }

  /** @throws GantryError INTAKE_PORT where the port cannot be had */
  async start(): Promise<{ port: number }> {
    return this.open(this.#options);
  }

  /** Listens at one place more. @returns the bound port @throws GantryError INTAKE_PORT where it cannot be had */
  async open(place: IntakePlace): Promise<{ port: number }> {
    const server = createServer({ noDelay: true }, (socket) => this.#take(socket));
    try {
      server.listen(place.port, place.host);
      await once(server, 'listening');
    } catch (error) {
      throw portTaken(error);
    }
    server.on('error', (error) => this.#log.error({ code: systemErrorCode(error) }, 'DICOM port failed'));
    this.#servers.set(keyOf(place), server);
    const port = boundPort(server) ?? place.port;
    this.#log.info({ port }, 'DICOM port open');
    return { port };
  }

  /** Takes no new connections there; associations that came in by it go on. */
  close(place: IntakePlace): void {
    const server = this.#servers.get(keyOf(place));
    this.#servers.delete(keyOf(place));
    if (server === undefined) return;
    this.#log.info({ port: boundPort(server) }, 'DICOM port closed');
    server.close();
  }

  /** The bound port of a place, or null where it is not open. */
  portOf(place: IntakePlace): number | null {
    const server = this.#servers.get(keyOf(place));
    return server === undefined ? null : boundPort(server);
  }

  /**
   * Takes no new associations, lets the open ones finish for so long, then aborts them. Resolves when nothing of
   * them is under way in the spool either, at the latest some ten seconds after the grace.
   */
  async stop(graceMs: number): Promise<void> {
    for (const server of this.#servers.values()) server.close();
    this.#servers.clear();
    for (const association of this.#open) if (!association.isOpen) association.destroy();
    const abort = setTimeout(() => {
      for (const association of this.#open) association.abort(faults.stopping);
    }, graceMs);
    const cut = setTimeout(() => {
      for (const association of this.#open) association.destroy();
    }, graceMs + lastWordsMs);
    const late = Promise.withResolvers<void>();
    const settle = setTimeout(() => late.resolve(), graceMs + lastWordsMs + settleMsMax);
    await Promise.race([late.promise, Promise.all([...this.#open].map((association) => association.gone()))]);
    for (const timer of [abort, cut, settle]) clearTimeout(timer);
    if (this.#open.size > 0)
      this.#log.error({ associations: this.#open.size }, 'stopped before the disk answered');
  }

  /** Replaces who may store here and what. Open associations go on under the rules they were admitted by. */
  reconfigure(options: AdmissionOptions): void {
    this.#rules = this.#compile(options);
    const { admission } = this.#rules;
    this.#house.attempts.forgetCallers((title, address) => admission.modalityOf(title, address) !== null);
  }

  /** Replaces the limits and timers, for connections that are opened from now on. */
  limit(options: Pick<IntakeOptions, 'limits' | 'timers'>): void {
    const limits = { ...intakeLimitDefaults, ...options.limits };
    const { associations, idleConnections } = this.#house;
    associations.max = limits.associationsMax;
    associations.perPeerMax = limits.associationsPerPeerMax;
    idleConnections.max = limits.idleConnectionsMax;
    idleConnections.perPeerMax = limits.idleConnectionsPerPeerMax;
    this.#house = { ...this.#house, limits, timers: { ...intakeTimerDefaults, ...options.timers } };
  }

  /** The last attempts to open an association, newest first. Bounded. */
  attempts(): Attempt[] {
    return this.#house.attempts.list();
  }

  /** Who is no configured modality and tried, the latest first. Bounded. */
  unknownCallers(): UnknownCaller[] {
    return this.#house.attempts.unknownCallers();
  }

  /** Calls back at each attempt from now on. @returns ends it */
  followAttempts(follower: (attempt: Attempt, localPort: number) => void): () => void {
    return this.#house.attempts.follow(follower);
  }

  /** For one call of the gateway to itself; dispose of it afterwards. */
  expectSelf(): SelfCall {
    return this.#house.selfCalls.expect();
  }

  /** No further connection is let in before another one ends. */
  get isFull(): boolean {
    const { idleConnections } = this.#house;
    return idleConnections.taken >= idleConnections.max;
  }

  stats(): IntakeStats {
    const { associations, idleConnections, tally, refusals } = this.#house;
    const modalities = new Map<string, SenderStats>();
    for (const [name, sender] of tally.modalities())
      modalities.set(name, { ...sender, lastRefusal: refusals.lastOf(name) });
    return {
      associations: associations.taken,
      associationsMax: associations.max,
      idleConnections: idleConnections.taken,
      idleConnectionsMax: idleConnections.max,
      bytesIn: [...this.#open].reduce((sum, each) => sum + each.bytesInNow, tally.bytesIn),
      received: tally.received,
      echoes: tally.echoes,
      longPdus: tally.longPdus,
      statuses: tally.statuses(),
      refusalCounts: refusals.counts(),
      refusals: refusals.list(),
      modalities,
      unknownSenders: new Map(tally.unknownSenders()),
    };
  }

  /** The last refusal of a configured modality, heard or not. */
  lastRefusal(modalityName: string): Refusal | null {
    return this.#house.refusals.lastOf(modalityName);
  }

  #compile(options: AdmissionOptions): HouseRules {
    const admission = new Admission(options, this.#house.limits);
    return { admission, unknownSopClasses: options.unknownSopClasses };
  }

  get handshakesMax(): number {
    return this.#house.limits.handshakesMax;
  }

  get associateMs(): number {
    return this.#house.timers.associateMs;
  }

  enter(socket: Socket): Arrival | null {
    const { idleConnections, clock } = this.#house;
    const address = plainAddress(socket.remoteAddress ?? '');
    const full = idleConnections.taken >= idleConnections.max;
    if (full || idleConnections.takenBy(address) >= idleConnections.perPeerMax) {
      socket.destroy();
      this.turnedAway(address, full ? faults.connectionsFull : faults.connectionsFullPeer);
      return null;
    }
    const leave = idleConnections.take(address);
    return { socket, address, openedAt: clock.monotonic(), leave, tls: null };
  }

  begin(arrival: Arrival): void {
    const association = new IntakeAssociation(arrival, this.#house, this.#rules);
    this.#open.add(association);
    void association.gone().then(() => this.#open.delete(association));
    association.start();
  }

  turnedAway(address: string, { code, message, nextStep }: Fault): void {
    const nobody = { callingAeTitle: '', calledAeTitle: '', modalityName: null };
    const why = { code, message, nextStep };
    this.#house.refusals.add({ kind: 'closed', address, ...nobody, proposed: null, why });
    this.#house.attempts.add({
      outcome: 'closed',
      address,
      ...nobody,
      localAddress: '',
      overTls: false,
      why,
    });
  }

  #take(socket: Socket): void {
    const arrival = this.enter(socket);
    if (arrival !== null) this.begin(arrival);
  }
}

function keyOf({ host, port }: IntakePlace): string {
  return `${host} ${port}`;
}

function boundPort(server: Server): number | null {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : null;
}

function portTaken(error: unknown): GantryError {
  const code = systemErrorCode(error) ?? 'unknown cause';
  return new GantryError(
    {
      code: 'INTAKE_PORT',
      kind: 'permanent',
      message: `The DICOM port cannot be opened (${code}).`,
      nextStep:
        'Check that no other program uses the port, and that the address under intake.host is of this machine.',
    },
    { cause: error },
  );
}
