import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { Gateway } from '../../src/gateway.ts';
import { makeAuthority } from '../fixtures/certificates.ts';

async function startGateway(web: object, dataDirectory?: string) {
  const folder = dataDirectory ?? (await mkdtemp(join(tmpdir(), 'gantry-https-')));
  const gateway = await Gateway.start({
    dataDirectory: folder,
    configText: JSON.stringify({
      intake: { host: '127.0.0.1', port: 0 },
      spool: { reserveBytes: 50_000_000, preparedBytes: 0 },
      destinations: { nas: { type: 'folder', path: join(folder, 'nas') } },
      web: { host: '127.0.0.1', port: 0, ...web },
    }),
    log: silentLog,
  });
  return { gateway, folder };
}

async function served(port: number): Promise<X509Certificate> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  if (certificate === undefined) throw new Error('no certificate');
  return certificate;
}

describe('the page over HTTPS', () => {
  test('is offered under a certificate of the box that stays the same, and that the status shows', async () => {
    const { gateway, folder } = await startGateway({});
    onTestFinished(() => rm(folder, { recursive: true }));
    const first = await served(gateway.ports.webHttps ?? 0);
    expect((Date.parse(first.validTo) - Date.parse(first.validFrom)) / 86_400_000).toBeLessThanOrEqual(825);
    const report = (await gateway.status()).web.https;
    expect(report).toMatchObject({
      open: true,
      port: gateway.ports.webHttps,
      problem: null,
      certificate: { selfSigned: true, sha256: first.fingerprint256, life: 'ok' },
    });
    const shown = await readFile(report?.certificate?.file ?? '', 'utf8');
    expect(new X509Certificate(shown).fingerprint256).toBe(first.fingerprint256);
    await gateway.stop();

    const again = await startGateway({}, folder);
    expect((await served(again.gateway.ports.webHttps ?? 0)).fingerprint256).toBe(first.fingerprint256);
    await again.gateway.stop();
  });

  test('changes to a certificate that is put in its place, and never to one that cannot be used', async () => {
    const files = await mkdtemp(join(tmpdir(), 'gantry-web-files-'));
    onTestFinished(() => rm(files, { recursive: true }));
    const authority = await makeAuthority();
    const [certFile, keyFile] = [join(files, 'cert.pem'), join(files, 'key.pem')];
    const put = async ({ cert, key }: { cert: string; key: string }) => {
      await writeFile(certFile, cert);
      await writeFile(keyFile, key);
    };
    await put(await authority.server());
    const { gateway, folder } = await startGateway({ https: { certFile, keyFile } });
    onTestFinished(() => rm(folder, { recursive: true }));
    const port = gateway.ports.webHttps ?? 0;
    const first = await served(port);

    await put(await authority.server());
    gateway.reloadCertificates();
    let second = await served(port);
    while (second.fingerprint256 === first.fingerprint256) second = await served(port);
    expect((await readFile(certFile, 'utf8')).includes(second.toString().trim())).toBe(true);

    await writeFile(certFile, 'no certificate');
    gateway.reloadCertificates();
    let report = (await gateway.status()).web.https;
    while ((report?.problem ?? null) === null) report = (await gateway.status()).web.https;
    expect(report?.problem?.code).toBe('TLS_FILE_INVALID');
    expect(report?.problem?.words).toContain('web.https.certFile');
    expect((await served(port)).fingerprint256).toBe(second.fingerprint256);
    await gateway.stop();
  });

  test('that cannot be opened leaves the open page and receiving as they are', async () => {
    const { gateway: first, folder } = await startGateway({});
    const second = await startGateway({ https: { port: first.ports.webHttps } });
    onTestFinished(async () => {
      await rm(folder, { recursive: true });
      await rm(second.folder, { recursive: true });
    });
    expect(second.gateway.ports.webHttps).toBeNull();
    const status = await fetch(`http://127.0.0.1:${second.gateway.ports.web}/api/v1/status`);
    expect(await status.json()).toMatchObject({
      intake: { open: true },
      web: { https: { open: false, problem: { code: 'WEB_HTTPS_PORT' } } },
    });
    await second.gateway.stop();
    await first.stop();
  });
});
