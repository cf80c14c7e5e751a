import { describe, expect, test } from 'vitest';
import type { IntakeOptions } from '../../src/intake/options.ts';
import type { RefusalKind } from '../../src/intake/refusals.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { eventually, type Harness, startIntake } from './intake-harness.ts';
import {
  abortRequest,
  associateRequest,
  dataSetPdus,
  echoCommand,
  pdu,
  RawClient,
  releaseRequest,
  storeCommand,
} from './raw-client.ts';

const slice = ctSlice({ rows: 64, columns: 64, seed: 1 });
const data = dataSetPdus(slice.dataSet, 1000);

/** An open association with half of an object under way. */
async function midObject({ port, spool }: Harness): Promise<RawClient> {
  const client = await RawClient.associate(port);
  // Three whole PDUs of 1000 bytes and their headers.
  client.send(storeCommand(slice), data.subarray(0, 3 * 1012));
  await spool.until(() => spool.objects[0]?.bytes === 3000);
  return client;
}

/** An association whose object is complete, and being made durable until `release` is called. */
async function midCommit({ port, spool }: Harness): Promise<{ client: RawClient; release: () => void }> {
  const committing = Promise.withResolvers<void>();
  spool.onCommit = () => committing.promise;
  const client = await RawClient.associate(port);
  client.send(storeCommand(slice), data);
  await spool.untilCommitting(0);
  return { client, release: () => committing.resolve() };
}

/** One way in which a connection comes to its end; returns the client, which is left as it is. */
type Ending = (harness: Harness) => Promise<RawClient>;

interface Case {
  readonly options?: Partial<IntakeOptions>;
  readonly end: Ending;
  /** What stands in the book; null where there is nothing to say. */
  readonly code: string | null;
  readonly kind?: RefusalKind;
}

async function callWith(request: Buffer, { port }: Harness): Promise<RawClient> {
  const client = await RawClient.connect(port);
  client.send(request);
  await client.next();
  return client;
}

const short = { associateMs: 250, acseMs: 250, idleMs: 250, rateWindowMs: 250 };

const cases: Record<string, Case> = {
  'a release': {
    end: ({ port }) =>
      RawClient.associate(port).then(async (client) => {
        client.send(releaseRequest);
        await client.next();
        client.close();
        return client;
      }),
    code: null,
  },
  'a release, and the peer does not close': {
    options: { timers: short },
    end: async ({ port }) => {
      const client = await RawClient.connect(port, { halfOpen: true });
      client.send(associateRequest(), releaseRequest);
      return client;
    },
    code: 'CONNECTION_NOT_CLOSED',
    kind: 'closed',
  },
  'a reject': {
    end: (harness) => callWith(associateRequest({ calling: 'NOBODY' }), harness),
    code: 'CALLING_AE_TITLE',
    kind: 'rejected',
  },
  'a reject, and the peer does not close': {
    options: { timers: short },
    end: async ({ port }) => {
      const client = await RawClient.connect(port, { halfOpen: true });
      client.send(associateRequest({ calling: 'NOBODY' }));
      return client;
    },
    code: 'CONNECTION_NOT_CLOSED',
    kind: 'closed',
  },
  'an abort by us at the first PDU': {
    end: async (harness) => callWith(releaseRequest, harness),
    code: 'FIRST_PDU_UNEXPECTED',
    kind: 'aborted',
  },
  'an abort by us between messages': {
    end: async ({ port }) => {
      const client = await RawClient.associate(port);
      client.send(pdu(0x99, Buffer.alloc(4)));
      return client;
    },
    code: 'PDU_UNRECOGNISED',
    kind: 'aborted',
  },
  'an abort by us, and the peer does not close': {
    options: { timers: short },
    end: async ({ port }) => {
      const client = await RawClient.connect(port, { halfOpen: true });
      client.send(associateRequest(), pdu(0x99, Buffer.alloc(4)));
      return client;
    },
    code: 'CONNECTION_NOT_CLOSED',
    kind: 'closed',
  },
  'an abort by us within an object': {
    end: async (harness) => {
      const client = await midObject(harness);
      client.send(echoCommand());
      return client;
    },
    code: 'PDV_OUT_OF_ORDER',
    kind: 'aborted',
  },
  'an abort by the peer between messages': {
    end: async ({ port }) => {
      const client = await RawClient.associate(port);
      client.send(abortRequest);
      return client;
    },
    code: 'LEFT_WITHOUT_RELEASE',
    kind: 'closed',
  },
  'an abort by the peer within an object': {
    end: async (harness) => {
      const client = await midObject(harness);
      client.send(abortRequest);
      return client;
    },
    code: 'PEER_ABORTED',
    kind: 'aborted',
  },
  'a connection that breaks before any request': {
    end: async ({ port }) => {
      const client = await RawClient.connect(port);
      client.close();
      return client;
    },
    code: null,
  },
  'a reset within an object': {
    end: async (harness) => {
      const client = await midObject(harness);
      client.socket.resetAndDestroy();
      return client;
    },
    code: 'CONNECTION_LOST',
    kind: 'aborted',
  },
  'a half-closed connection within an object': {
    end: async (harness) => {
      const client = await midObject(harness);
      client.socket.end();
      return client;
    },
    code: 'CONNECTION_LOST',
    kind: 'aborted',
  },
  'a connection that breaks between messages': {
    end: async ({ port }) => {
      const client = await RawClient.associate(port);
      client.close();
      return client;
    },
    code: 'LEFT_WITHOUT_RELEASE',
    kind: 'closed',
  },
  'a reset while the object is made durable': {
    end: async (harness) => {
      const { client, release } = await midCommit(harness);
      client.socket.resetAndDestroy();
      await eventually(() => harness.listener.stats().refusalCounts['CONNECTION_LOST'] === 1);
      release();
      await harness.spool.until(() => harness.spool.objects[0]?.state === 'committed');
      return client;
    },
    code: 'CONNECTION_LOST',
    kind: 'aborted',
  },
  'silence before a request': {
    options: { timers: short },
    end: ({ port }) => RawClient.connect(port),
    code: 'ASSOCIATE_TIMEOUT',
    kind: 'closed',
  },
  'silence between messages': {
    options: { timers: short },
    end: ({ port }) => RawClient.associate(port),
    code: 'IDLE_TIMEOUT',
    kind: 'closed',
  },
  'silence within an object': {
    options: { timers: short },
    end: midObject,
    code: 'TOO_SLOW',
    kind: 'aborted',
  },
  'a peer that does not read its answers': {
    options: { timers: { ...short, idleMs: 400 } },
    end: async ({ port }) => {
      const client = await RawClient.associate(port);
      client.socket.pause();
      // Answers until the buffers of both sides are full; from then on nothing more is read.
      for (let id = 1; id <= 60_000; id++) client.socket.write(echoCommand(id % 65_536));
      return client;
    },
    code: 'IDLE_TIMEOUT',
    kind: 'closed',
  },
  'a failure of ours before the answer to the request': {
    end: (harness) => {
      harness.spool.intakeGate = () => {
        throw new Error('made up');
      };
      return callWith(associateRequest(), harness);
    },
    code: 'INTAKE_INTERNAL',
    kind: 'aborted',
  },
  'a failure of ours within an association': {
    end: async (harness) => {
      const client = await RawClient.associate(harness.port);
      harness.spool.intakeGate = () => {
        throw new Error('made up');
      };
      client.send(storeCommand(slice));
      return client;
    },
    code: 'INTAKE_INTERNAL',
    kind: 'aborted',
  },
  'a web browser': {
    end: (harness) => callWith(Buffer.from('GET / HTTP/1.1\r\n\r\n'), harness),
    code: 'HTTP_ON_DICOM_PORT',
    kind: 'closed',
  },
  'an object that is too large': {
    options: { limits: { objectBytesMax: 2000 } },
    end: async ({ port }) => {
      const client = await RawClient.associate(port);
      client.send(storeCommand(slice), data);
      return client;
    },
    code: 'OBJECT_TOO_LARGE',
    kind: 'aborted',
  },
  'a shutdown between messages': {
    end: async ({ port, listener }) => {
      const client = await RawClient.associate(port);
      void listener.stop(0);
      return client;
    },
    code: 'STOPPING',
    kind: 'closed',
  },
  'a shutdown within an object': {
    end: async (harness) => {
      const client = await midObject(harness);
      void harness.listener.stop(0);
      return client;
    },
    code: 'STOPPING',
    kind: 'aborted',
  },
  'a shutdown before a request': {
    end: async ({ port, listener }) => {
      const client = await RawClient.connect(port);
      await eventually(() => listener.stats().idleConnections === 1);
      void listener.stop(0);
      return client;
    },
    code: null,
  },
};

describe('after every ending the house is empty', () => {
  test.for(Object.entries(cases))('%s', async ([, one]) => {
    const harness = await startIntake(one.options);
    const { listener, spool } = harness;
    const client = await one.end(harness);
    await eventually(() => {
      const { associations, idleConnections } = listener.stats();
      return associations === 0 && idleConnections === 0;
    });
    // The harness's own end is not what empties the house; the client is still there, if it did not go itself.
    client.close();
    const { refusals } = listener.stats();
    if (one.code === null) expect(refusals).toEqual([]);
    else expect(refusals.map(({ code, kind }) => [code, kind])).toContainEqual([one.code, one.kind]);
    expect(
      spool.objects.filter(({ state, dataSetFacts }) => state === 'incoming' && dataSetFacts === null),
    ).toEqual([]);
  });
});

test('only what cost a device something counts as its last refusal', async () => {
  const { port, listener } = await startIntake({ timers: { idleMs: 100, acseMs: 100 } });
  const idle = await RawClient.associate(port);
  expect(await idle.aborted()).toEqual([0, 0]);
  const leaving = await RawClient.associate(port);
  leaving.send(storeCommand(slice), data);
  expect((await leaving.response()).status).toBe(0);
  leaving.close();
  await eventually(() => listener.stats().refusalCounts['LEFT_WITHOUT_RELEASE'] === 1);
  expect(listener.stats().refusals.map(({ kind }) => kind)).toEqual(['closed', 'closed']);
  expect(listener.lastRefusal('ct')).toBeNull();
});

test('a full house refuses until a slot is given back, and then takes again', async () => {
  const { port, listener } = await startIntake({ limits: { associationsMax: 4, associationsPerPeerMax: 4 } });
  for (let round = 0; round < 25; round++) {
    const clients = await Promise.all(Array.from({ length: 4 }, () => RawClient.associate(port)));
    const refused = await RawClient.connect(port);
    refused.send(associateRequest());
    expect([...((await refused.next())?.body ?? [])]).toEqual([0, 2, 3, 2]);
    for (const [at, client] of clients.entries()) {
      if (at % 2 === 0) client.send(releaseRequest);
      else client.socket.resetAndDestroy();
    }
    await eventually(() => listener.stats().associations === 0);
    for (const client of [...clients, refused]) client.close();
    await eventually(() => listener.stats().idleConnections === 0);
  }
  expect(listener.stats().refusalCounts['ASSOCIATIONS_FULL']).toBe(25);
});
