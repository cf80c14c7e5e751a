import type { ConnectionOptions } from 'node:tls';
import { expect, test } from 'vitest';
import { lifeOf } from '../../src/base/certificate.ts';
import type { CertificateBinding } from '../../src/intake/tls-peer.ts';
import { type LeafOptions, type MadeCertificate, makeAuthority } from '../fixtures/certificates.ts';
import { intakeOptions } from './intake-harness.ts';
import { associateRequest, RawClient } from './raw-client.ts';
import { associateOver, fingerprint, startTls, type TlsHarness } from './tls-harness.ts';

const dayMs = 86_400_000;
/** Permanent, by the service user: calling AE title not recognised (PS3.8 table 9-21). */
const callerNotRecognised = [1, 1, 3];

interface Case {
  readonly harness: TlsHarness;
  readonly client: MadeCertificate;
}

/** CT1 bound to a certificate, MR1 to none; `trust` says whether the authority of device certificates is known. */
async function bound(options: {
  binding: (client: MadeCertificate) => CertificateBinding;
  trust: boolean;
  leaf?: LeafOptions;
  required?: boolean;
  now?: number;
}): Promise<Case> {
  const devices = await makeAuthority('Device authority');
  const client = await devices.client({ hosts: ['ct1.north.example'], ...options.leaf });
  const modality = { addresses: [], priority: 'routine' } as const;
  const clock = { now: () => options.now ?? Date.now(), monotonic: () => performance.now() };
  const harness = await startTls({
    clock,
    intake: {
      ...intakeOptions,
      clientCertificateRequired: options.required ?? false,
      modalities: {
        ct1: { ...modality, aeTitle: 'CT1', certificate: options.binding(client) },
        mr1: { ...modality, aeTitle: 'MR1' },
      },
    },
    tls: { asksForCertificates: true },
    clientCa: options.trust ? devices.cert : null,
  });
  return { harness, client };
}

/** What is answered to a caller with this certificate: null for an association, else the reject. */
async function answered(
  { secure }: TlsHarness,
  calling: string,
  certificate: ConnectionOptions,
): Promise<number[] | null> {
  const { client, answer } = await associateOver(await secure(certificate), { calling });
  client.close();
  return answer?.type === 2 ? null : [...(answer?.body.subarray(1) ?? [])];
}

const byFingerprint = (client: MadeCertificate) => ({ sha256: [fingerprint(client)], names: [] });
const byName = () => ({ sha256: [], names: ['CT1.north.example'] });
const nobody = () => ({ sha256: ['0'.repeat(64)], names: ['other.example'] });

test.each([
  ['its fingerprint, whoever signed it', byFingerprint, false],
  ['a name that a trusted authority vouches for', byName, true],
])('an AE title bound by %s', async (_, binding, trust) => {
  const { harness, client } = await bound({ binding, trust });
  expect(await answered(harness, 'CT1', client)).toBeNull();
  expect(await answered(harness, 'CT1', {})).toEqual(callerNotRecognised);
  expect(harness.counts()['TLS_CLIENT_CERTIFICATE_MISSING']).toBe(1);
  // The others are asked for nothing.
  expect(await answered(harness, 'MR1', {})).toBeNull();
  expect(await answered(harness, 'MR1', client)).toBeNull();
});

test('a resumed connection is who the first one was', async () => {
  const { harness, client } = await bound({ binding: byName, trust: true });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await harness.secure({ ...client, maxVersion });
    await associateOver(first, { calling: 'CT1' });
    // The answer came behind the tickets.
    const again = await harness.secure({ session: first.getSession(), maxVersion });
    expect(again.isSessionReused()).toBe(true);
    expect((await associateOver(again, { calling: 'CT1' })).answer?.type).toBe(2);
    const stranger = await harness.secure({ maxVersion });
    expect((await associateOver(stranger, { calling: 'CT1' })).answer?.type).toBe(3);
  }
});

test('a bound AE title is not let in without TLS, from wherever it calls', async () => {
  const { harness } = await bound({ binding: byFingerprint, trust: false });
  const client = await RawClient.connect(harness.port);
  client.send(associateRequest({ calling: 'CT1' }));
  expect([...((await client.next())?.body.subarray(1) ?? [])]).toEqual(callerNotRecognised);
  expect(harness.counts()).toEqual({ TLS_REQUIRED: 1 });
  expect(harness.listener.lastRefusal('ct1')?.code).toBe('TLS_REQUIRED');
  harness.listener.reconfigure({
    ...intakeOptions,
    unknownCallers: 'accept',
    modalities: {
      ct1: {
        aeTitle: 'CT1',
        addresses: ['10.9.9.9'],
        priority: 'routine',
        certificate: { sha256: ['0'.repeat(64)], names: [] },
      },
    },
  });
  const elsewhere = await RawClient.connect(harness.port);
  elsewhere.send(associateRequest({ calling: 'CT1' }));
  expect([...((await elsewhere.next())?.body.subarray(1) ?? [])]).toEqual(callerNotRecognised);
  expect(harness.counts()['CALLING_ADDRESS']).toBe(1);
});

test('another certificate is refused with its fingerprint, so that the right one can be entered', async () => {
  const unknown = await bound({ binding: nobody, trust: false });
  expect(await answered(unknown.harness, 'CT1', unknown.client)).toEqual(callerNotRecognised);
  const refusal = unknown.harness.listener.lastRefusal('ct1');
  expect(refusal).toMatchObject({ code: 'TLS_CLIENT_CERTIFICATE_UNKNOWN', callingAeTitle: 'CT1' });
  const shown = /[0-9A-F:]{95}/.exec(refusal?.nextStep ?? '')?.[0] ?? '';
  expect(shown.replaceAll(':', '').toLowerCase()).toBe(fingerprint(unknown.client));
  const other = await bound({ binding: nobody, trust: true });
  expect(await answered(other.harness, 'CT1', other.client)).toEqual(callerNotRecognised);
  expect(other.harness.listener.lastRefusal('ct1')?.code).toBe('TLS_CLIENT_CERTIFICATE_OTHER');
});

test.each([
  ['has expired', 91 * dayMs, 'TLS_CLIENT_CERTIFICATE_EXPIRED'],
  ['is not valid yet', -2 * dayMs, 'TLS_CLIENT_CERTIFICATE_EARLY'],
])('a certificate that %s by our clock is refused, even where it is bound', async (_, ms, code) => {
  const { harness, client } = await bound({ binding: byFingerprint, trust: false, now: Date.now() + ms });
  expect(await answered(harness, 'CT1', client)).toEqual(callerNotRecognised);
  expect(harness.listener.lastRefusal('ct1')?.code).toBe(code);
  // Nobody else hangs on the clock.
  expect(await answered(harness, 'MR1', {})).toBeNull();
  const clear = await RawClient.connect(harness.port);
  clear.send(associateRequest({ calling: 'MR1' }));
  expect((await clear.next())?.type).toBe(2);
});

test('a short key is refused', async () => {
  const { harness, client } = await bound({ binding: byFingerprint, trust: false, leaf: { rsaBits: 1024 } });
  const weak = { ...client, ciphers: 'DEFAULT:@SECLEVEL=0' };
  expect(await answered(harness, 'CT1', weak)).toEqual(callerNotRecognised);
  expect(harness.listener.lastRefusal('ct1')?.code).toBe('TLS_CLIENT_CERTIFICATE_WEAK');
});

test('where every caller needs a certificate, one of a trusted authority is enough for those without their own', async () => {
  const { harness, client } = await bound({ binding: byName, trust: true, required: true });
  expect(await answered(harness, 'MR1', client)).toBeNull();
  expect(await answered(harness, 'MR1', {})).toEqual(callerNotRecognised);
  expect(harness.listener.lastRefusal('mr1')?.code).toBe('TLS_CLIENT_CERTIFICATE_MISSING');
  const stranger = await (await makeAuthority('Somebody else')).client();
  expect(await answered(harness, 'MR1', stranger)).toEqual(callerNotRecognised);
  expect(harness.listener.lastRefusal('mr1')?.code).toBe('TLS_CLIENT_CERTIFICATE_UNKNOWN');
  // Receiving in clear does not depend on certificates.
  const clear = await RawClient.connect(harness.port);
  clear.send(associateRequest({ calling: 'MR1' }));
  expect((await clear.next())?.type).toBe(2);
});

test('two thirds of a life', () => {
  const validity = { notBefore: 0, notAfter: 90 * dayMs };
  const at = (days: number) => lifeOf(validity, days * dayMs);
  expect([-1, 0, 59.9, 60, 90].map(at)).toEqual(['early', 'ok', 'ok', 'renew', 'renew']);
  expect(at(90.1)).toBe('expired');
  expect(lifeOf({ notBefore: Number.NaN, notAfter: Number.NaN }, 0)).not.toBe('ok');
  expect(lifeOf({ notBefore: 0, notAfter: Number.NaN }, 0)).not.toBe('ok');
});
