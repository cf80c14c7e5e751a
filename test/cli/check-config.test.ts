import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gantry } from '../e2e/peers.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { command } from './command.ts';

let directory: TemporaryDirectory;
beforeAll(() => {
  directory = temporaryDirectory();
});
afterAll(() => directory[Symbol.dispose]());
const path = (name: string): string => join(directory.path, name);

function configFile(name: string, destinations: object): string {
  writeFileSync(path(name), JSON.stringify({ destinations }));
  return path(name);
}

test('a file that cannot be read: the cause, and what to check', async () => {
  mkdirSync(path('folder'));
  const words = (file: string, code: string): string =>
    `CONFIG_UNREADABLE: The configuration file cannot be read (${code}).\nCheck the path ${file} and its permissions.\n`;
  const [none, folder] = [path('none.json'), path('folder')];
  const expected = { code: 2, stdout: '' };
  expect(await command('check-config', none)).toEqual({ ...expected, stderr: words(none, 'ENOENT') });
  expect(await command('check-config', folder)).toEqual({ ...expected, stderr: words(folder, 'EISDIR') });
  const run = await gantry('run', '--data', path('data'), '--config', none);
  expect(run).toEqual({ ...expected, stderr: words(none, 'ENOENT') });
});

test('run names the file its problems stand in', async () => {
  const file = configFile('wrong.json', { cloud: { type: 'ftp' } });
  const { code, stderr } = await gantry('run', '--data', path('data'), '--config', file);
  expect(stderr).toContain('CONFIG_INVALID');
  expect(stderr).toContain(`\n${file}:1:27  destinations.cloud.type\n  is not one of the possible values\n`);
  expect(code).toBe(2);
});

test('valid, and nothing to note', async () => {
  const url = 'https://archive.example/studies';
  writeFileSync(path('token'), 'secret');
  const auth = { type: 'bearer', tokenFile: path('token') };
  const file = configFile('fine.json', {
    cloud: { type: 'stow', url, auth },
    local: { type: 'stow', url: 'http://127.0.0.1:8042/studies' },
  });
  expect(await command('check-config', file)).toEqual({ code: 0, stdout: `${file} is valid.\n`, stderr: '' });
});

test('valid, with notes: files that cannot be read, sign-ins that travel in the clear', async () => {
  const url = 'https://archive.example/studies';
  const none = (name: string): string => path(`none/${name}`);
  const file = configFile('notes.json', {
    plain: {
      type: 'stow',
      url: 'http://archive.example/studies',
      auth: { type: 'basic', user: 'u', passwordFile: none('password') },
    },
    login: {
      type: 'stow',
      url,
      auth: {
        type: 'oauth2',
        tokenUrl: 'https://login.example/token',
        clientId: 'c',
        clientSecretFile: none('client-secret'),
      },
      caFile: path('folder'),
      clientCertificate: { certFile: none('cert.pem'), keyFile: none('key.pem') },
      proxy: { url: 'http://proxy.example:3128', user: 'u', passwordFile: none('proxy') },
    },
  });
  mkdirSync(path('folder'), { recursive: true });
  const { code, stdout } = await command('check-config', file);
  const [valid, ...notes] = stdout.trimEnd().split('\n');
  expect(valid).toBe(`${file} is valid.`);
  const unread = (setting: string, cause = 'ENOENT') =>
    `note: destinations.${setting}: the file cannot be read by this user (${cause}).`;
  expect(notes.toSorted()).toEqual([
    unread('login.auth.clientSecretFile'),
    unread('login.caFile', 'EISDIR'),
    unread('login.clientCertificate.certFile'),
    unread('login.clientCertificate.keyFile'),
    unread('login.proxy.passwordFile'),
    unread('plain.auth.passwordFile'),
    expect.stringMatching(/^note: destinations\.plain\.url is plain http: .* unencrypted/),
  ]);
  expect(code).toBe(0);
});
