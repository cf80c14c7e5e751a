import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { RefusalKind } from '../../src/intake/refusals.ts';
import { ctSlice } from '../fixtures/dicom-objects.ts';
import { eventually } from './intake-harness.ts';
import {
  abortRequest,
  associateRequest,
  dataSetPdus,
  RawClient,
  releaseRequest,
  storeCommand,
} from './raw-client.ts';
import { startTls, type TlsHarness, type TlsHarnessOptions } from './tls-harness.ts';

const slice = ctSlice({ rows: 64, columns: 64, seed: 1 });
/** The first bytes of a ClientHello. */
const beginning = Buffer.from([0x16, 3, 1, 2, 0, 1]);
const short = { timers: { associateMs: 300, acseMs: 250, idleMs: 250, rateWindowMs: 250 } };

/** TCP to the TLS port. */
async function bare({ tls, listener }: TlsHarness): Promise<RawClient> {
  const client = await RawClient.connect(tls.state().port);
  await eventually(() => listener.stats().idleConnections === 1);
  return client;
}

async function secured(harness: TlsHarness): Promise<RawClient> {
  return RawClient.over(await harness.secure());
}

async function associated(harness: TlsHarness): Promise<RawClient> {
  const client = await secured(harness);
  client.send(associateRequest());
  expect((await client.next())?.type).toBe(2);
  return client;
}

/** An open association with half of an object under way. */
async function midObject(harness: TlsHarness): Promise<RawClient> {
  const client = await associated(harness);
  client.send(storeCommand(slice), dataSetPdus(slice.dataSet, 1000).subarray(0, 3 * 1012));
  await harness.spool.until(() => harness.spool.objects[0]?.bytes === 3000);
  return client;
}

/** TLS in which the connection beneath can be written to, past the encryption. */
async function twoLayers(harness: TlsHarness) {
  const tcp = connect({ host: '127.0.0.1', port: harness.tls.state().port });
  tcp.on('error', () => undefined);
  await once(tcp, 'connect');
  const socket = connectTls({ socket: tcp, ca: harness.authority.cert, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return { tcp, client: RawClient.over(socket) };
}

interface Case {
  readonly options?: TlsHarnessOptions;
  /** Brings a connection to its end; returns the client, which is left as it is. */
  readonly end: (harness: TlsHarness) => Promise<RawClient>;
  /** What stands in the book; null where there is nothing to say. */
  readonly code: string | null;
  readonly kind?: RefusalKind;
}

async function sending(bytes: Buffer, harness: TlsHarness): Promise<RawClient> {
  const client = await bare(harness);
  client.send(bytes);
  return client;
}

const cases: Record<string, Case> = {
  'a connection that breaks before it says anything': {
    end: async (harness) => {
      const client = await bare(harness);
      client.socket.resetAndDestroy();
      return client;
    },
    code: null,
  },
  'silence before the handshake': {
    options: { intake: short },
    end: bare,
    code: 'TLS_HANDSHAKE_TIMEOUT',
    kind: 'closed',
  },
  'silence within the handshake': {
    options: { intake: short },
    end: (harness) => sending(beginning, harness),
    code: 'TLS_HANDSHAKE_TIMEOUT',
    kind: 'closed',
  },
  'a handshake the device leaves': {
    end: async (harness) => {
      const client = await bare(harness);
      client.socket.end(beginning);
      return client;
    },
    code: 'TLS_HANDSHAKE_BROKEN_OFF',
    kind: 'closed',
  },
  'a handshake that is reset': {
    end: async (harness) => {
      const client = await bare(harness);
      client.socket.write(beginning, () => client.socket.resetAndDestroy());
      return client;
    },
    code: 'TLS_HANDSHAKE_BROKEN_OFF',
    kind: 'closed',
  },
  'plain DICOM': {
    end: (harness) => sending(associateRequest(), harness),
    code: 'PLAIN_ON_TLS_PORT',
    kind: 'closed',
  },
  'a handshake that is none': {
    end: (harness) => sending(Buffer.from([0x16, 3, 1, 0, 5, 9, 9, 9, 9, 9]), harness),
    code: 'TLS_HANDSHAKE_FAILED',
    kind: 'closed',
  },
  'a handshake while the port is shut': {
    end: async (harness) => {
      const client = await sending(beginning, harness);
      harness.tls.stop();
      return client;
    },
    code: null,
  },
  'a break after the handshake': {
    end: async (harness) => {
      // In TLS 1.2 the port has the last word of the handshake: it is over for both.
      const client = RawClient.over(await harness.secure({ maxVersion: 'TLSv1.2' }));
      client.close();
      return client;
    },
    code: null,
  },
  'silence after the handshake': {
    options: { intake: short },
    end: secured,
    code: 'ASSOCIATE_TIMEOUT',
    kind: 'closed',
  },
  'a reject for want of a certificate': {
    options: { intake: { clientCertificateRequired: true }, tls: { asksForCertificates: true } },
    end: async (harness) => {
      const client = await secured(harness);
      client.send(associateRequest());
      expect((await client.next())?.type).toBe(3);
      return client;
    },
    code: 'TLS_CLIENT_CERTIFICATE_MISSING',
    kind: 'rejected',
  },
  'a release': {
    end: async (harness) => {
      const client = await associated(harness);
      client.send(releaseRequest);
      expect((await client.next())?.type).toBe(6);
      client.close();
      return client;
    },
    code: null,
  },
  'a release, and the peer does not close': {
    options: { intake: short },
    end: async (harness) => {
      const client = await associated(harness);
      client.send(releaseRequest);
      return client;
    },
    code: 'CONNECTION_NOT_CLOSED',
    kind: 'closed',
  },
  'silence between messages': {
    options: { intake: short },
    end: associated,
    code: 'IDLE_TIMEOUT',
    kind: 'closed',
  },
  'an abort within an object': {
    end: async (harness) => {
      const client = await midObject(harness);
      client.send(abortRequest);
      return client;
    },
    code: 'PEER_ABORTED',
    kind: 'aborted',
  },
  'the end of TLS within an object': {
    end: async (harness) => {
      const client = await midObject(harness);
      client.socket.end();
      return client;
    },
    code: 'CONNECTION_LOST',
    kind: 'aborted',
  },
  'a broken record between messages': {
    end: async (harness) => {
      const { tcp, client } = await twoLayers(harness);
      client.send(associateRequest());
      expect((await client.next())?.type).toBe(2);
      tcp.write(Buffer.from([0x17, 3, 3, 0, 32, ...Array.from({ length: 32 }, () => 9)]));
      return client;
    },
    code: 'LEFT_WITHOUT_RELEASE',
    kind: 'closed',
  },
  'a reset between messages': {
    end: async (harness) => {
      const { tcp, client } = await twoLayers(harness);
      client.send(associateRequest());
      expect((await client.next())?.type).toBe(2);
      tcp.resetAndDestroy();
      return client;
    },
    code: 'LEFT_WITHOUT_RELEASE',
    kind: 'closed',
  },
};

describe('after every ending over TLS the house is empty', () => {
  test.for(Object.entries(cases))('%s', async ([, one]) => {
    const harness = await startTls(one.options);
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
