import { createPrivateKey, X509Certificate } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { BoxCertificate } from '../../src/config/remote/box-certificate.ts';
import {
  type DeviceAuthority,
  issueCertificate,
  makeCertificateRequest,
  makeDeviceAuthority,
  readCertificateRequest,
} from '../../src/crypto/device-authority.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { device, signingKey, trustOf } from '../fixtures/fleet-kit.ts';

const dayMs = 86_400_000;
const start = Date.parse('2026-03-01T00:00:00.000Z');
let authority: DeviceAuthority;

beforeAll(async () => {
  authority = await newAuthority();
});

async function newAuthority(): Promise<DeviceAuthority> {
  const { cert, key } = await makeDeviceAuthority('acme', new Date(start));
  return { cert, key: createPrivateKey(key) };
}

/** A file that is sealed elsewhere. */
function file() {
  let bytes: Buffer | null = null;
  return {
    read: () => Promise.resolve(bytes),
    write: (plain: Buffer) => {
      bytes = plain;
      return Promise.resolve();
    },
  };
}

const open = (place = file()) =>
  BoxCertificate.open(place, (error) => {
    throw error;
  });

const trust = (revoked: string[] = [], by = authority) =>
  trustOf([[signingKey(), ['trust']]], { deviceCa: [by.cert], revoked });

/** What central IT issues for a request: for 90 days from a day on. */
async function issued(request: string, fromDay = 0, { name = String(device), by = authority } = {}) {
  const read = await readCertificateRequest(request);
  if (read === null) throw new Error('not readable');
  return issueCertificate(by, read, { name, days: 90, now: new Date(start + fromDay * dayMs) });
}

test('a certificate is asked for once there is an authority, again at two thirds of its life, and with another key', async () => {
  const place = file();
  const box = await open(place);
  const due = (day: number, document = trust()) => box.isDue(document, start + day * dayMs);
  expect(due(0, trustOf([[signingKey(), ['trust']]]))).toBe(false);
  expect(due(0)).toBe(true);
  const request = await box.request(device);
  // The key is on disk before anybody hears of it, and stays the same until its certificate comes.
  expect(await (await open(place)).request(device)).toBe(request);
  const first = await issued(request);
  expect(await box.take(first.cert, device, trust())).toEqual({ ok: true, unchanged: false });
  expect(await box.take(first.cert, device, trust())).toEqual({ ok: true, unchanged: true });
  expect(box.credentials?.cert).toBe(new X509Certificate(first.cert).toString());
  expect([due(59), due(61), due(91)]).toEqual([false, true, true]);
  // What was taken back is not renewed; an authority that has gone is no reason to wait.
  expect(due(91, trust([first.serial.toUpperCase()]))).toBe(false);
  expect(due(1, trust([], await newAuthority()))).toBe(true);
  const again = await box.request(device);
  const keys = await Promise.all([request, again].map((one) => readCertificateRequest(one)));
  expect(keys[0]?.keySha256).not.toBe(keys[1]?.keySha256);
  const second = await issued(again, 61);
  expect(await box.take(second.cert, device, trust())).toEqual({ ok: true, unchanged: false });
  expect((await open(place)).notAfter).toBe(second.notAfter.getTime());
  // The first one, from a stick that lay about.
  expect(await box.take(first.cert, device, trust())).toEqual({ ok: false, code: 'FLEET_CERTIFICATE_KEY' });
});

test('nothing is taken that is not for this box, by this authority, for its own key, to sign in with', async () => {
  const box = await open();
  const request = await box.request(device);
  const good = await issued(request);
  const stranger = await makeCertificateRequest(device);
  const foreign = await makeAuthority();
  const cases: [string, string, string[]?][] = [
    ['FLEET_UNREADABLE', 'no certificate'],
    ['FLEET_CERTIFICATE', (await issued(request, 0, { by: await newAuthority() })).cert],
    ['FLEET_CERTIFICATE', (await foreign.client({ hosts: [device] })).cert],
    ['FLEET_WRONG_DEVICE', authority.cert],
    ['FLEET_CERTIFICATE', good.cert, [good.serial]],
    ['FLEET_WRONG_DEVICE', (await issued(request, 0, { name: 'GANTRY-BBB333' })).cert],
    ['FLEET_WRONG_DEVICE', (await issued(request, 0, { name: `${device}x` })).cert],
    ['FLEET_CERTIFICATE_KEY', (await issued(stranger.request)).cert],
  ];
  for (const [code, cert, revoked] of cases)
    expect(await box.take(cert, device, trust(revoked))).toEqual({ ok: false, code });
  expect(box.credentials).toBeNull();
  expect(await box.take(good.cert, device, trust())).toEqual({ ok: true, unchanged: false });
});

test('a request that somebody changed, or whose key is another, is none', async () => {
  const { request } = await makeCertificateRequest(device);
  const der = Buffer.from(request.replaceAll(/-----.*-----|\n/g, ''), 'base64');
  const at = der.indexOf(device);
  der.write('GANTRY-XXX999', at);
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  expect(await readCertificateRequest(forged)).toBeNull();
  expect(await readCertificateRequest('nothing')).toBeNull();
  expect(await readCertificateRequest(request)).not.toBeNull();
});
