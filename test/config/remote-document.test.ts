import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/schema.ts';

const cloud = { destinations: { cloud: { type: 'stow', url: 'https://archive.example/dicom-web/studies' } } };

function problemOf(remote: unknown) {
  const parsed = parseConfig({ ...cloud, remote });
  return parsed.ok ? null : parsed.problems[0];
}

describe('the ways to central IT', () => {
  test('are off unless they are written', () => {
    const parsed = parseConfig(cloud);
    expect(parsed.ok && parsed.config.remote).toMatchObject({
      https: null,
      mqtt: null,
      usb: null,
      commands: [],
    });
  });

  test('need an address and nothing else', () => {
    const parsed = parseConfig({
      ...cloud,
      remote: {
        https: { url: 'https://fleet.example/gantry' },
        mqtt: { url: 'wss://broker.example/mqtt' },
        usb: { folder: '/media/gantry' },
      },
    });
    expect(parsed.ok && parsed.config.remote).toMatchObject({
      https: { poll: '*/5 * * * *', jitterSeconds: 240, report: true, proxy: null },
      mqtt: { user: null, keepAliveSeconds: 60 },
      usb: { lookSeconds: 5 },
    });
  });

  test.each<[string, unknown, string, RegExp]>([
    ['a record in clear', { https: { url: 'http://fleet.example/' } }, 'remote.https.url', /unencrypted/],
    [
      'a record with a question',
      { https: { url: 'https://f.example/?a=1' } },
      'remote.https.url',
      /"\?" part/,
    ],
    ['a broker in clear', { mqtt: { url: 'mqtt://broker.example' } }, 'remote.mqtt.url', /broker over TLS/],
    ['a web server as broker', { mqtt: { url: 'https://broker.example' } }, 'remote.mqtt.url', /over TLS/],
    [
      'a path without WebSocket',
      { mqtt: { url: 'mqtts://b.example/mqtt' } },
      'remote.mqtt.url',
      /has a path/,
    ],
    [
      'a password in the address',
      { mqtt: { url: 'wss://a:b@b.example/' } },
      'remote.mqtt.url',
      /user or password/,
    ],
    ['a user alone', { mqtt: { url: 'wss://b.example/', user: 'box' } }, 'remote.mqtt', /only one of/],
    ['another command', { commands: ['reboot'] }, 'remote.commands[0]', /not one of/],
    ['a part that is not there', { amqp: {} }, 'remote.amqp', /not a known/],
  ])('%s is a problem', (_name, remote, path, cause) => {
    const problem = problemOf(remote);
    expect(problem?.path).toBe(path);
    expect(problem?.cause).toMatch(cause);
    expect(problem?.suggestion).not.toBe('');
  });

  test('no problem repeats an address, which may hold a password', () => {
    expect(JSON.stringify(problemOf({ mqtt: { url: 'wss://box:hunter2@b.example/' } }))).not.toContain(
      'hunter2',
    );
  });
});
