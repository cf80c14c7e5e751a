import { describe, expect, test } from 'vitest';
import { Metrics } from '../../src/health/metrics.ts';
import { buildStatus } from '../../src/health/status-builder.ts';
import type { IntakeLimits, IntakeTimers } from '../../src/intake/options.ts';
import { refusalCatalogue } from '../../src/intake/refusal-catalogue.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { statusInputs } from '../health/status-inputs.ts';
import { eventually, type Harness, startIntake } from './intake-harness.ts';
import {
  acceptItems,
  associateRequest,
  commandSet,
  ctContext,
  ctImageStorage,
  dataPdu,
  dataSetPdus,
  echoContext,
  implicitLittleEndian,
  pdu,
  RawClient,
  releaseRequest,
  storeCommand,
} from './raw-client.ts';
import { startOverTls } from './tls-harness.ts';

const slice = ctSlice({ rows: 32, columns: 32, seed: 1 });
const larger = ctSlice({ rows: 64, columns: 64, seed: 2 });

/** The clients of one case, all closed at its end. */
class Peers {
  readonly #clients: RawClient[] = [];
  readonly #port: number;

  constructor({ port }: Harness) {
    this.#port = port;
  }

  async connect(options: { from?: string; halfOpen?: boolean } = {}): Promise<RawClient> {
    const client = await RawClient.connect(this.#port, options);
    this.#clients.push(client);
    return client;
  }

  /** Connects and sends an association request. */
  async call(request: Buffer = associateRequest(), from?: string): Promise<RawClient> {
    const client = await this.connect(from === undefined ? {} : { from });
    client.send(request);
    return client;
  }

  /** An open association. */
  async associate(request?: Buffer, from?: string): Promise<RawClient> {
    const client = await this.call(request, from);
    expect(await seen(client)).toBe('accepted');
    return client;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

/** What the peer sees next. */
async function seen(client: RawClient): Promise<string> {
  const answer = await client.next();
  if (answer === null) return 'closed';
  const words = [...answer.body.subarray(1)];
  if (answer.type === 2) return 'accepted';
  if (answer.type === 3) return `rejected ${words.join('/')}`;
  if (answer.type === 7) return `aborted ${words.slice(1).join('/')}`;
  return `PDU of type ${answer.type}`;
}

interface LimitCase {
  readonly limits?: Partial<IntakeLimits>;
  readonly timers?: Partial<IntakeTimers>;
  /** At the limit: nothing is refused. */
  readonly within: (peers: Peers, harness: Harness) => Promise<unknown>;
  /** One step beyond; returns what the peer sees. */
  readonly beyond: (peers: Peers, harness: Harness) => Promise<string>;
  readonly seen: string;
  readonly code: string;
  /** The peers call the TLS port. */
  readonly overTls?: true;
}

async function store(client: RawClient, instance: typeof slice, fragmentBytes = 1000): Promise<number> {
  client.send(storeCommand(instance), dataSetPdus(instance.dataSet, fragmentBytes));
  return (await client.response()).status;
}

/** A C-FIND-RQ, which is not offered, with a data set. */
function unoffered(bytes: number): Buffer {
  const command = commandSet([
    [0x0002, ctImageStorage],
    [0x0100, 0x0020],
    [0x0110, 9],
    [0x0800, 0],
  ]);
  return Buffer.concat([
    dataPdu({ command: true, last: true, bytes: command }),
    dataSetPdus(Buffer.alloc(bytes)),
  ]);
}

/** Sends an object a few bytes at a time until it is cut. */
async function trickle(client: RawClient): Promise<string> {
  client.send(storeCommand(larger));
  const pdus = dataSetPdus(larger.dataSet, 200);
  let at = 0;
  const timer = setInterval(() => {
    if (client.socket.writable) client.socket.write(pdus.subarray(at, (at += 5)));
  }, 20);
  const end = await seen(client);
  clearInterval(timer);
  return end;
}

const threeContexts = [ctContext, echoContext, { ...ctContext, id: 5 }];
const threeSyntaxes = ['1.2.840.10008.1.2.1', implicitLittleEndian, '1.2.840.10008.1.2.4.70'];
const usualRequestBytes = associateRequest().length - 6;

/** One case for each limit there is: a new one does not compile without. */
const cases: Record<Exclude<keyof IntakeLimits | keyof IntakeTimers, 'pduBytesAnnounced'>, LimitCase> = {
  associationsMax: {
    limits: { associationsMax: 2, associationsPerPeerMax: 2 },
    within: async (peers) => [await peers.associate(), await peers.associate(undefined, '127.0.0.2')],
    beyond: async (peers) => seen(await peers.call(undefined, '127.0.0.3')),
    seen: 'rejected 2/3/2',
    code: 'ASSOCIATIONS_FULL',
  },
  associationsPerPeerMax: {
    limits: { associationsPerPeerMax: 1 },
    within: async (peers) => [await peers.associate(), await peers.associate(undefined, '127.0.0.2')],
    beyond: async (peers) => seen(await peers.call()),
    seen: 'rejected 2/3/2',
    code: 'ASSOCIATIONS_FULL_PEER',
  },
  idleConnectionsMax: {
    limits: { idleConnectionsMax: 2, idleConnectionsPerPeerMax: 2 },
    within: async (peers, { listener }) => {
      await peers.connect();
      await peers.connect({ from: '127.0.0.2' });
      await eventually(() => listener.stats().idleConnections === 2);
    },
    beyond: async (peers) => seen(await peers.connect({ from: '127.0.0.3' })),
    seen: 'closed',
    code: 'CONNECTIONS_FULL',
  },
  idleConnectionsPerPeerMax: {
    limits: { idleConnectionsPerPeerMax: 1 },
    within: async (peers, { listener }) => {
      await peers.connect();
      await peers.connect({ from: '127.0.0.2' });
      await eventually(() => listener.stats().idleConnections === 2);
    },
    beyond: async (peers) => seen(await peers.connect()),
    seen: 'closed',
    code: 'CONNECTIONS_FULL_PEER',
  },
  handshakesMax: {
    overTls: true,
    limits: { handshakesMax: 2 },
    within: async (peers, { listener }) => {
      await peers.connect();
      await peers.connect();
      await eventually(() => listener.stats().idleConnections === 2);
    },
    beyond: async (peers) => seen(await peers.connect()),
    seen: 'closed',
    code: 'TLS_HANDSHAKES_FULL',
  },
  associateBytesMax: {
    limits: { associateBytesMax: usualRequestBytes },
    within: (peers) => peers.associate(),
    // The header alone is enough to say no.
    beyond: async (peers) => seen(await peers.call(pdu(1, Buffer.alloc(0), usualRequestBytes + 1))),
    seen: 'aborted 2/6',
    code: 'ASSOCIATE_TOO_LONG',
  },
  presentationContextsMax: {
    limits: { presentationContextsMax: 2 },
    within: (peers) => peers.associate(),
    beyond: async (peers) => seen(await peers.call(associateRequest({ contexts: threeContexts }))),
    seen: 'rejected 1/3/2',
    code: 'TOO_MANY_CONTEXTS',
  },
  transferSyntaxesPerContextMax: {
    limits: { transferSyntaxesPerContextMax: 2 },
    within: (peers) => peers.associate(),
    beyond: async (peers) => {
      const contexts = [{ ...ctContext, transferSyntaxes: threeSyntaxes }];
      return seen(await peers.call(associateRequest({ contexts })));
    },
    seen: 'rejected 1/3/2',
    code: 'TOO_MANY_TRANSFER_SYNTAXES',
  },
  commandBytesMax: {
    limits: { commandBytesMax: storeCommand(slice).length - 12 },
    within: async (peers) => expect(await store(await peers.associate(), slice)).toBe(0),
    beyond: async (peers) => {
      const client = await peers.associate();
      const bytes = Buffer.alloc(storeCommand(slice).length - 11);
      client.send(dataPdu({ command: true, last: false, bytes }));
      return seen(client);
    },
    seen: 'aborted 2/6',
    code: 'COMMAND_TOO_LONG',
  },
  pduBytesMax: {
    limits: { pduBytesAnnounced: 1000, pduBytesMax: 1206 },
    within: async (peers) => expect(await store(await peers.associate(), slice, 1200)).toBe(0),
    beyond: async (peers) => {
      const client = await peers.associate();
      client.send(storeCommand(slice), dataSetPdus(slice.dataSet, 1201).subarray(0, 6));
      return seen(client);
    },
    seen: 'aborted 2/6',
    code: 'PDU_TOO_LONG',
  },
  objectBytesMax: {
    limits: { objectBytesMax: slice.dataSet.length },
    within: async (peers) => expect(await store(await peers.associate(), slice)).toBe(0),
    beyond: async (peers, { spool }) => {
      const client = await peers.associate();
      client.send(storeCommand(larger), dataSetPdus(larger.dataSet, 1000));
      const end = await seen(client);
      await spool.until(() => spool.objects[1]?.state === 'aborted');
      return end;
    },
    seen: 'aborted 0/0',
    code: 'OBJECT_TOO_LARGE',
  },
  otherDataSetBytesMax: {
    limits: { otherDataSetBytesMax: 5000 },
    within: async (peers) => {
      const client = await peers.associate();
      client.send(unoffered(5000), unoffered(5000));
      expect((await client.response()).status).toBe(0x0211);
      expect((await client.response()).status).toBe(0x0211);
    },
    beyond: async (peers) => {
      const client = await peers.associate();
      client.send(unoffered(5001));
      return seen(client);
    },
    seen: 'aborted 0/0',
    code: 'UNWANTED_DATA_TOO_LONG',
  },
  lingerBytesMax: {
    limits: { lingerBytesMax: 1000 },
    within: async (peers) => {
      const client = await peers.associate();
      client.send(releaseRequest);
      expect(await seen(client)).toBe('PDU of type 6');
      client.send(Buffer.alloc(1000));
      client.close();
    },
    beyond: async (peers) => {
      const client = await peers.associate();
      client.send(releaseRequest);
      expect(await seen(client)).toBe('PDU of type 6');
      client.send(Buffer.alloc(1001));
      return seen(client);
    },
    seen: 'closed',
    code: 'SENT_AFTER_END',
  },
  associateMs: {
    timers: { associateMs: 200 },
    within: (peers) => peers.associate(),
    beyond: async (peers) => seen(await peers.call(associateRequest().subarray(0, -1))),
    seen: 'closed',
    code: 'ASSOCIATE_TIMEOUT',
  },
  acseMs: {
    timers: { acseMs: 200 },
    within: async (peers) => {
      const client = await peers.associate();
      client.send(releaseRequest);
      expect(await seen(client)).toBe('PDU of type 6');
      client.close();
    },
    beyond: async (peers) => {
      const client = await peers.associate();
      client.send(releaseRequest);
      expect(await seen(client)).toBe('PDU of type 6');
      return seen(client);
    },
    seen: 'closed',
    code: 'CONNECTION_NOT_CLOSED',
  },
  idleMs: {
    timers: { idleMs: 300 },
    within: async (peers) => {
      const client = await peers.associate();
      expect(await store(client, slice)).toBe(0);
      client.close();
    },
    beyond: async (peers) => seen(await peers.associate()),
    seen: 'aborted 0/0',
    code: 'IDLE_TIMEOUT',
  },
  rateWindowMs: {
    timers: { rateWindowMs: 300 },
    within: async (peers) => expect(await store(await peers.associate(), larger)).toBe(0),
    beyond: async (peers) => {
      const client = await peers.associate();
      client.send(storeCommand(larger)); // and then nothing
      return seen(client);
    },
    seen: 'aborted 0/0',
    code: 'TOO_SLOW',
  },
  rateBytesPerSecondMin: {
    timers: { rateWindowMs: 300, rateBytesPerSecondMin: 1500 },
    within: async (peers) => expect(await store(await peers.associate(), larger)).toBe(0),
    beyond: async (peers) => trickle(await peers.associate()),
    seen: 'aborted 0/0',
    code: 'TOO_SLOW',
  },
};

const catalogued = new Map(
  refusalCatalogue.flatMap(({ refusals }) => refusals).map((one) => [one.code, one]),
);

/** What a scrape would say. */
async function scrape({ listener }: Harness): Promise<string> {
  const inputs = statusInputs();
  const stats = listener.stats();
  const metrics = new Metrics({
    status: () => buildStatus({ ...inputs, intake: { ...inputs.intake, ...stats, limits: {} } }),
    counters: {
      forwardedInstances: () => ({}),
      storeResponses: () => stats.statuses,
      longPdus: () => stats.longPdus,
    },
    configuredModalities: () => ['ct'],
  });
  return metrics.text();
}

describe('every limit is kept, counted and explained, and gives its slots back', () => {
  test.for(Object.entries(cases))('%s', async ([, one]) => {
    const intake = {
      ...(one.limits === undefined ? {} : { limits: one.limits }),
      ...(one.timers === undefined ? {} : { timers: one.timers }),
    };
    const harness = one.overTls === true ? await startOverTls(intake) : await startIntake(intake);
    const { listener } = harness;
    const peers = new Peers(harness);
    await one.within(peers, harness);
    expect(listener.stats().refusalCounts[one.code]).toBeUndefined();

    expect(await one.beyond(peers, harness)).toBe(one.seen);
    const { refusals, refusalCounts } = listener.stats();
    expect(refusalCounts[one.code]).toBe(1);
    const words = catalogued.get(one.code);
    const refusal = refusals.find(({ code }) => code === one.code);
    expect(refusal).toMatchObject({ reason: words?.message, nextStep: words?.nextStep, count: 1 });
    expect(await scrape(harness)).toContain(`gantry_association_rejected_total{reason="${one.code}"} 1\n`);

    peers.close();
    await eventually(() => listener.stats().associations + listener.stats().idleConnections === 0);
  });
});

test('pduBytesAnnounced is what devices are told, and longer PDUs are taken and counted', async () => {
  const harness = await startIntake({ limits: { pduBytesAnnounced: 1000, pduBytesMax: 1206 } });
  const client = await RawClient.connect(harness.port);
  client.send(associateRequest());
  const accept = await client.next();
  const announced = accept === null ? [] : acceptItems(accept).filter(({ type }) => type === 0x51);
  expect(announced.map(({ content }) => content.readUInt32BE(0))).toEqual([1000]);
  expect(await store(client, slice, 1000 - 6)).toBe(0);
  client.send(storeCommand(larger), dataSetPdus(larger.dataSet, 1000 - 5));
  expect((await client.response()).status).toBe(0);
  client.send(releaseRequest);
  await client.next();
  const long = Math.floor(larger.dataSet.length / 995);
  expect(harness.listener.stats().longPdus).toBe(long);
  expect(await scrape(harness)).toContain(`gantry_long_pdus_total ${long}\n`);
});

test('more contexts than DICOM has ids for cannot be proposed', async () => {
  const { port, listener } = await startIntake();
  const contexts = Array.from({ length: 128 }, (_, at) => ({ ...ctContext, id: 2 * at + 1 }));
  (await RawClient.associate(port, { contexts })).close();
  for (const id of [1, 128, 0]) {
    const client = await RawClient.connect(port);
    client.send(associateRequest({ contexts: [...contexts, { ...ctContext, id }] }));
    expect(await client.aborted()).toEqual([2, 6]);
  }
  expect(listener.stats().refusalCounts['PDU_INVALID']).toBe(3);
});
