import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { UsbChannel } from '../../src/config/remote/channels/usb-channel.ts';
import { recordPath } from '../../src/config/remote/channels/port.ts';
import { filesBelow, temporaryDirectory } from '../fixtures/data-directory.ts';
import { channelParts, RecordingAgent, testBox, testFleet } from '../fixtures/recording-agent.ts';
import { until } from '../fixtures/until.ts';

function put(stick: string, kind: Parameters<typeof recordPath>[2], text: string): string {
  const path = join(stick, 'gantry-fleet', recordPath(testFleet, testBox, kind));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function openChannel(folder: string, agent: RecordingAgent) {
  const channel = new UsbChannel({ folder, lookSeconds: 1 }, channelParts(agent));
  channel.start();
  return { channel, [Symbol.asyncDispose]: () => channel.stop() };
}

test('a stick is read once, and again when another comes; the report is on it, whole', async () => {
  using mount = temporaryDirectory();
  const agent = new RecordingAgent();
  await using opened = openChannel(mount.path, agent);
  const making = join(mount.path, 'being-copied');
  put(making, 'desired', 'generation 1');
  put(making, 'trust', 'trust 1');
  renameSync(join(making, 'gantry-fleet'), join(mount.path, 'gantry-fleet'));
  await agent.until(() => agent.back.length > 0);
  expect(agent.offers.map(({ kind, text }) => [kind, text])).toEqual([
    ['trust', 'trust 1'],
    ['desired', 'generation 1'],
  ]);
  const report = join(mount.path, 'gantry-fleet', recordPath(testFleet, testBox, 'reported'));
  expect(readFileSync(report, 'utf8')).toBe('report 1');
  expect(opened.channel.state()).toMatchObject({ kind: 'usb', failure: null });

  agent.says('report 2');
  await until(() => readFileSync(report, 'utf8') === 'report 2');
  expect(agent.offers).toHaveLength(2);

  renameSync(join(mount.path, 'gantry-fleet'), join(mount.path, 'drawn'));
  await until(() => filesBelow(mount.path).every((file) => !file.includes('gantry-fleet')));
  const second = join(mount.path, 'second');
  put(second, 'desired', 'generation 2');
  renameSync(join(second, 'gantry-fleet'), join(mount.path, 'gantry-fleet'));
  await agent.until(() => agent.texts('desired').includes('generation 2'));
  await until(() => filesBelow(join(mount.path, 'gantry-fleet')).includes(report));
});

test('what is no document is not read: too long, a device, another box', async () => {
  using mount = temporaryDirectory();
  put(mount.path, 'trust', 'x'.repeat(70_000));
  const desired = put(mount.path, 'reported', 'old').replace('reported', 'desired');
  symlinkSync('/dev/zero', desired);
  mkdirSync(join(mount.path, 'gantry-fleet/v1/acme/OTHER-BOX'), { recursive: true });
  writeFileSync(join(mount.path, 'gantry-fleet/v1/acme/OTHER-BOX/desired.jws'), 'not ours');
  const agent = new RecordingAgent();
  await using opened = openChannel(mount.path, agent);
  await agent.until(() => agent.back.length > 0);
  expect(opened.channel.state().failure).toBeNull();
  expect(agent.offers).toEqual([]);
});

test('a stick that is not ours is left alone', async () => {
  using mount = temporaryDirectory();
  writeFileSync(join(mount.path, 'holiday.jpg'), '');
  const agent = new RecordingAgent();
  {
    await using opened = openChannel(mount.path, agent);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(opened.channel.state()).toMatchObject({ contactAt: null, failure: null });
  }
  expect(filesBelow(mount.path)).toEqual([join(mount.path, 'holiday.jpg')]);
  expect(agent.back).toEqual([]);
});

test('a stick that cannot be written is told, and tried again', async () => {
  using mount = temporaryDirectory();
  mkdirSync(join(mount.path, 'gantry-fleet'));
  // A file where the folder has to be.
  writeFileSync(join(mount.path, 'gantry-fleet/v1'), '');
  const agent = new RecordingAgent();
  await using opened = openChannel(mount.path, agent);
  await until(() => opened.channel.state().failure?.code === 'REMOTE_STICK');
  expect(agent.back).toEqual([]);
});
