import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { describe, expect, test } from 'vitest';
import { remote } from '../../src/config/document-remote.ts';
import { MqttChannel } from '../../src/config/remote/channels/mqtt-channel.ts';
import { topicOf } from '../../src/config/remote/channels/port.ts';
import { present } from '../e2e/peers.ts';
import { makeAuthority } from '../fixtures/certificates.ts';
import { startConnectProxy } from '../fixtures/connect-proxy.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { hashedUser } from '../fixtures/mosquitto-password.ts';
import { startMosquitto } from '../fixtures/mosquitto.ts';
import { channelParts, RecordingAgent, testBox, testFleet } from '../fixtures/recording-agent.ts';
import { until } from '../fixtures/until.ts';

const ready = present('test/fleet/mqtt-channel.test.ts', 'Mosquitto');
type Kind = Parameters<typeof topicOf>[2];

function openChannel(agent: RecordingAgent, settings: object) {
  const config = remote.parse({ mqtt: settings }).mqtt;
  if (config === null) throw new Error('no channel');
  const channel = new MqttChannel(config, channelParts(agent));
  channel.start();
  return { channel, [Symbol.asyncDispose]: () => channel.stop() };
}

/** Central IT at the broker: what it was told last of each kind. */
async function centralIt(port: number) {
  const client: MqttClient = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 100 });
  const told = new Map<string, string>();
  client.on('message', (topic, bytes) => told.set(topic, bytes.toString()));
  await client.subscribeAsync('gantry/v1/#', { qos: 1 });
  const topic = (kind: Kind) => topicOf(testFleet, testBox, kind);
  return {
    told: (kind: Kind) => told.get(topic(kind)) ?? null,
    online: () => (JSON.parse(told.get(topic('presence')) ?? '{}') as { online?: boolean }).online ?? null,
    forget: () => told.clear(),
    say: (kind: Kind, text: string) =>
      client.publishAsync(topic(kind), text, { qos: 1, retain: kind !== 'command' }),
    [Symbol.asyncDispose]: () => client.endAsync(true),
  };
}

describe.skipIf(!ready)('configuration over a broker', () => {
  test('what is kept comes in the order of use, what is new at once; report and presence are kept there', async () => {
    await using broker = await startMosquitto();
    await using central = await centralIt(broker.port);
    await central.say('desired', 'generation 1');
    await central.say('trust', 'trust 1');
    const agent = new RecordingAgent();
    {
      await using opened = openChannel(agent, { url: `mqtt://127.0.0.1:${broker.port}` });
      await agent.until(() => agent.offers.length === 2 && agent.back.length > 0);
      expect(agent.offers.map(({ kind }) => kind)).toEqual(['trust', 'desired']);
      await central.say('desired', 'generation 2');
      await central.say('command', 'echo');
      await agent.until(() => agent.offers.length === 4);
      expect(agent.texts('command')).toEqual(['echo']);
      agent.says('report 2');
      await until(() => central.told('reported') === 'report 2');
      expect(central.online()).toBe(true);
      // The broker is told to forget: that is no change.
      await central.say('desired', '');
      await central.say('desired', 'x'.repeat(70_000));
      await central.say('freshness', 'fresh');
      await agent.until(() => agent.texts('freshness').length === 1);
      expect(agent.texts('desired')).toEqual(['generation 1', 'generation 2']);
      expect(opened.channel.state()).toMatchObject({ kind: 'mqtt', failure: null });
    }
    await until(() => central.online() === false);
  });

  test('a broker that comes back with nothing is told everything again', async () => {
    await using broker = await startMosquitto();
    const agent = new RecordingAgent();
    await using opened = openChannel(agent, { url: `mqtt://127.0.0.1:${broker.port}` });
    await agent.until(() => agent.back.length > 0);
    await broker.kill();
    await until(() => opened.channel.state().failure !== null);
    await broker.again();
    await using central = await centralIt(broker.port);
    await until(() => central.told('reported') === 'report 1' && central.online() === true);
    expect(opened.channel.state().failure).toBeNull();
  });

  test('a box that is cut off is seen to be gone', async () => {
    await using broker = await startMosquitto();
    await using central = await centralIt(broker.port);
    const agent = new RecordingAgent();
    const proxy = await startConnectProxy();
    await using opened = openChannel(agent, {
      url: `mqtt://127.0.0.1:${broker.port}`,
      proxy: { url: proxy.url },
    });
    await until(() => central.online() === true);
    await proxy.stop();
    await until(() => central.online() === false);
    expect(opened.channel.state().failure).not.toBeNull();
  });

  test('TLS, with a user and through a proxy, as WebSocket too; the wrong password is told', async () => {
    using folder = temporaryDirectory();
    const authority = await makeAuthority();
    const server = await authority.server();
    const at = (name: string) => join(folder.path, name);
    writeFileSync(at('ca.pem'), authority.cert);
    writeFileSync(at('cert.pem'), server.cert);
    writeFileSync(at('key.pem'), server.key);
    writeFileSync(at('password'), 'secret\n');
    writeFileSync(at('wrong'), 'guess\n');
    writeFileSync(at('users'), hashedUser('box', 'secret'));
    const settings = (protocol: string) => (port: number) =>
      [
        // With WebSocket alone this version does not start, nor with an address in that line.
        ...(protocol === 'mqtt'
          ? [`listener ${port} 127.0.0.1`]
          : [`listener 0 ${at('unused.sock')}`, `listener ${port}`]),
        `protocol ${protocol}`,
        `certfile ${at('cert.pem')}`,
        `keyfile ${at('key.pem')}`,
        'allow_anonymous false',
        `password_file ${at('users')}`,
        '',
      ].join('\n');
    const proxy = await startConnectProxy();
    for (const [protocol, url] of [
      ['mqtt', 'mqtts://localhost:'],
      ['websockets', 'wss://localhost:'],
    ] as const) {
      await using broker = await startMosquitto(settings(protocol));
      const agent = new RecordingAgent();
      const sign = { user: 'box', caFile: at('ca.pem'), url: `${url}${broker.port}` };
      await using opened = openChannel(agent, {
        ...sign,
        passwordFile: at('password'),
        proxy: { url: proxy.url },
      });
      await until(() => agent.back.length > 0 || opened.channel.state().failure !== null);
      expect(opened.channel.state()).toMatchObject({ failure: null });
      expect(proxy.targets).toContain(`localhost:${broker.port}`);
      await using wrong = openChannel(new RecordingAgent(), { ...sign, passwordFile: at('wrong') });
      await until(() => wrong.channel.state().failure !== null);
      expect(wrong.channel.state().failure?.code).toBe('REMOTE_SIGN_IN_REFUSED');
      await using untrusting = openChannel(new RecordingAgent(), { url: `${url}${broker.port}` });
      await until(() => untrusting.channel.state().failure !== null);
      expect(untrusting.channel.state().failure?.code).toBe('REMOTE_TLS_UNTRUSTED');
    }
    await proxy.stop();
  });
});
