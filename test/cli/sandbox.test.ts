import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { gantry } from '../e2e/peers.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';

test('sandbox-archive: what it cannot do, in words', async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, 'archive');
  const blocker = createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  const taken = String((blocker.address() as AddressInfo).port);
  const failures = [
    [['--data', data, '--port', taken], /^SANDBOX_LISTEN: .*\(EADDRINUSE\)\.\n.*--port/],
    [
      ['--data', data, '--token-file', `${data}.token`],
      /^SANDBOX_TOKEN_FILE: .*\(ENOENT\)\.\n.*--token-file/,
    ],
    [['--data', '/dev/null/x'], /^SANDBOX_DATA: .*\(ENOTDIR\)\.\n.*--data/],
  ] as const;
  for (const [options, words] of failures) {
    const { code, stderr } = await gantry('sandbox-archive', ...options);
    expect(stderr).toMatch(words);
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
    expect(code).toBe(1);
  }
  blocker.close();
});

test('sandbox-archive --help says that it is no place for patient data', async () => {
  const { stdout } = await gantry('sandbox-archive', '--help');
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain('unencrypted: no patient data');
});
