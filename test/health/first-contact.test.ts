import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { SandboxArchive } from '../../src/demo/sandbox-archive.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { startGateway } from '../fixtures/gateway-process.ts';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

test('a fresh box says what is wrong with the way to its archive, and when it is right, without an image', async () => {
  const temporary = temporaryDirectory();
  open.push(async () => temporary[Symbol.dispose]());
  const directory = temporary.path;
  const archive = new SandboxArchive({
    dataDir: join(directory, 'archive'),
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    bearerToken: 'open sesame',
  });
  const { url } = await archive.start();
  open.push(() => archive.stop());
  const tokenFile = join(directory, 'token');
  const gateway = await startGateway(join(directory, 'data'), {
    destinations: { cloud: { type: 'stow', url, auth: { type: 'bearer', tokenFile } } },
  });
  open.push(() => gateway.stop());

  const up = async (): Promise<string> => {
    const metrics = await (await fetch(`http://127.0.0.1:${gateway.webPort}/metrics`)).text();
    return /^gantry_destination_up\{.*$/m.exec(metrics)?.[0] ?? '';
  };
  const missing = await gateway.until(({ destinations }) => destinations['cloud']?.state === 'paused');
  expect(missing).toMatchObject({
    verdict: 'degraded',
    reason: `Not sending to "cloud": the token file ${tokenFile} cannot be read.`,
    nextStep: expect.stringContaining('by itself'),
  });
  expect(await up()).toBe('gantry_destination_up{destination="cloud"} 0');

  await writeFile(tokenFile, 'wrong');
  const refused = await gateway.until(
    ({ destinations }) => destinations['cloud']?.reason?.code === 'HTTP_401',
  );
  expect(refused).toMatchObject({ verdict: 'degraded', nextStep: expect.stringContaining('sign-in') });

  await writeFile(tokenFile, 'open sesame');
  const right = await gateway.until(({ destinations }) => destinations['cloud']?.state === 'up');
  expect(right).toMatchObject({ verdict: 'working', reason: 'Ready; no image has been received yet.' });
  expect(await up()).toBe('gantry_destination_up{destination="cloud"} 1');
});
