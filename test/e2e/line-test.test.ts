import { writeFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LineReport } from '../../src/health/line-test.ts';
import { httpServer } from '../archive/fault-server.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { startConnectProxy } from '../fixtures/connect-proxy.ts';
import { startStorescp } from '../fixtures/dcmtk-scp.ts';
import { type GatewayBench, gatewayBench } from '../fixtures/running-gateway.ts';
import { filesBelow } from '../fixtures/data-directory.ts';
import { patienceMs, present } from './peers.ts';

interface Archive {
  readonly url: string;
  readonly caFile: string;
  /** Paths asked for, with the method. */
  readonly asked: string[];
}

/** A DICOMweb archive by https that answers one way. */
async function archive(
  bench: GatewayBench,
  { status = 200, toDays = 90, date }: { status?: number; toDays?: number; date?: string } = {},
): Promise<Archive> {
  const authority = await makeAuthority('Good authority');
  const asked: string[] = [];
  const server = await httpServer(
    (request, response) => {
      asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
      if (date !== undefined) response.setHeader('date', date);
      response.writeHead(status, { 'content-type': 'application/dicom+json' }).end('[]');
    },
    await authority.server({ fromDays: -100, toDays }),
  );
  onTestFinished(() => server.stop());
  const caFile = join(bench.directory, 'ca.pem');
  writeFileSync(caFile, authority.cert);
  return { url: server.url, caFile, asked };
}

async function tested(bench: GatewayBench, destination: object): Promise<LineReport> {
  const gateway = await bench.start({ destinations: { cloud: destination } });
  return gateway.tools.destinations.testLine('cloud');
}

const codes = ({ steps }: LineReport) => Object.fromEntries(steps.map(({ step, code }) => [step, code]));

describe('the line to an archive, tested from the box', { timeout: patienceMs }, () => {
  test('in order: nothing but a question is sent', async () => {
    const bench = gatewayBench();
    const { url, caFile, asked } = await archive(bench);
    const report = await tested(bench, { type: 'stow', url, caFile });
    expect(report).toMatchObject({ ok: true, failed: null });
    expect(codes(report)).toEqual({
      link: 'NOT_NEEDED',
      gateway: 'NOT_NEEDED',
      dns: 'NOT_NEEDED',
      proxy: 'NOT_NEEDED',
      tls: 'OK',
      'sign-in': 'OK',
      clock: 'OK',
    });
    expect(asked.every((one) => one === 'GET /dicom-web/studies?limit=1')).toBe(true);
  });

  test('a name that nobody knows', async () => {
    const report = await tested(gatewayBench(), {
      type: 'stow',
      url: 'https://no-such-archive.invalid/studies',
    });
    // A machine without a way out fails before its name service is asked.
    expect(report.failed).toMatch(/^(?:dns|gateway|link)$/);
    expect(report.steps.find(({ step }) => step === 'sign-in')?.code).toBe('NOT_REACHED');
  });

  test('a proxy that refuses, and one that is not there', async () => {
    const bench = gatewayBench();
    const { url, caFile, asked } = await archive(bench);
    const proxy = await startConnectProxy({ refuseWith: 403 });
    onTestFinished(() => proxy.stop());
    expect(await tested(bench, { type: 'stow', url, caFile, proxy: { url: proxy.url } })).toMatchObject({
      failed: 'proxy',
      steps: expect.arrayContaining([
        expect.objectContaining({ step: 'proxy', code: 'PROXY_REFUSED', call: 'site-it' }),
      ]) as object[],
    });
    await bench.stop();
    const away = await startConnectProxy();
    await away.stop();
    const report = await tested(bench, { type: 'stow', url, caFile, proxy: { url: away.url } });
    expect(report.steps[3]).toMatchObject({ step: 'proxy', state: 'failed', code: 'PROXY_UNAVAILABLE' });
    expect(asked).toEqual([]);
  });

  test('through a proxy that lets us through', async () => {
    const bench = gatewayBench();
    const { url, caFile } = await archive(bench);
    const proxy = await startConnectProxy();
    onTestFinished(() => proxy.stop());
    const report = await tested(bench, { type: 'stow', url, caFile, proxy: { url: proxy.url } });
    expect(report).toMatchObject({ ok: true });
    expect(codes(report)).toMatchObject({ proxy: 'OK', tls: 'OK' });
  });

  test('a certificate that has expired', async () => {
    const bench = gatewayBench();
    const { url, caFile, asked } = await archive(bench, { toDays: -2 });
    const report = await tested(bench, { type: 'stow', url, caFile });
    expect(report.steps.find(({ step }) => step === report.failed)).toMatchObject({
      step: 'tls',
      code: 'CERT_HAS_EXPIRED',
      call: 'archive',
      words: expect.stringMatching(/expired on \d{4}-\d\d-\d\d/) as string,
    });
    expect(asked).toEqual([]);
  });

  test('somebody in between: a certificate of an authority nobody here trusts, where all was well before', async () => {
    const bench = gatewayBench();
    const { url, caFile } = await archive(bench);
    expect((await tested(bench, { type: 'stow', url, caFile })).ok).toBe(true);
    await bench.stop();
    const other = await makeAuthority('Firewall authority');
    const between = await httpServer((_request, response) => void response.end('[]'), await other.server());
    onTestFinished(() => between.stop());
    const report = await tested(bench, { type: 'stow', url: between.url, caFile });
    expect(report.failed).toBe('tls');
    expect(report.steps.find(({ step }) => step === 'tls')?.words).toMatch(
      /signed by "Firewall authority".*used to be signed by "Good authority"/,
    );
  });

  test('a certificate for another name', async () => {
    const bench = gatewayBench();
    const authority = await makeAuthority();
    const server = await httpServer(
      (_request, response) => void response.end('[]'),
      await authority.server({ hosts: ['other.example'] }),
    );
    onTestFinished(() => server.stop());
    const caFile = join(bench.directory, 'ca.pem');
    writeFileSync(caFile, authority.cert);
    expect(codes(await tested(bench, { type: 'stow', url: server.url, caFile }))['tls']).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
  });

  test('a sign-in that is refused, and a clock that is off', async () => {
    const bench = gatewayBench();
    const refusing = await archive(bench, { status: 401 });
    const { url, caFile } = refusing;
    expect(codes(await tested(bench, { type: 'stow', url, caFile }))['sign-in']).toBe('HTTP_401');
    await bench.stop();
    const early = await archive(bench, { date: new Date(Date.now() + 3_600_000).toUTCString() });
    const gateway = await bench.start({
      destinations: { cloud: { type: 'stow', url: early.url, caFile: early.caFile } },
    });
    const report = await gateway.tools.destinations.testLine('cloud');
    expect(report).toMatchObject({ failed: 'clock' });
    expect(report.steps.at(-1)?.words).toMatch(/(?:3[56]\d\d) seconds behind/);
    expect((await gateway.status()).clock.trusted).toBe(false);
    expect((await gateway.tools.network()).clock.trusted).toBe(false);
  });

  test.skipIf(!present('test/e2e/line-test.test.ts', 'DCMTK'))('a PACS, by C-ECHO', async () => {
    const scp = await startStorescp();
    onTestFinished(async () => scp?.stop());
    const bench = gatewayBench();
    const pacs = { type: 'dimse', host: '127.0.0.1', port: scp?.port, aeTitle: 'PACS' };
    const report = await tested(bench, pacs);
    expect(report.ok).toBe(true);
    expect(codes(report)).toMatchObject({ tls: 'OK', 'sign-in': 'OK', clock: 'NOT_NEEDED' });
    await scp?.stop();
    const gone = await (await restarted(bench, pacs)).tools.destinations.testLine('cloud');
    expect(gone).toMatchObject({ failed: 'tls' });
  });

  test('a folder: a file is written, read and deleted; without the marker it is not touched', async () => {
    const bench = gatewayBench();
    const gateway = await bench.start();
    expect(await gateway.tools.destinations.testLine('nas')).toMatchObject({ ok: true });
    expect(filesBelow(bench.folder)).toEqual([join(bench.folder, '.gantry-folder')]);
    rmSync(join(bench.folder, '.gantry-folder'));
    expect(await gateway.tools.destinations.testLine('nas')).toMatchObject({
      failed: 'mount',
      steps: [{ code: 'FOLDER_NOT_MOUNTED' }, { state: 'skipped' }],
    });
    expect(filesBelow(bench.folder)).toEqual([]);
  });
});

async function restarted(bench: GatewayBench, destination: object) {
  await bench.stop();
  return bench.start({ destinations: { cloud: destination } });
}
