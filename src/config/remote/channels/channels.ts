import type { RemoteConfig } from '../../schema.ts';
import type { Channel, ChannelParts, ChannelState } from './port.ts';

/** The ways to central IT that the configuration names. Each is loaded only where it is used. */
export class Channels {
  readonly #channels: readonly Channel[];

  private constructor(channels: readonly Channel[]) {
    this.#channels = channels;
  }

  /** Opens nothing that could fail: each channel finds its way, or says why not in its state. */
  static async start(remote: RemoteConfig, parts: ChannelParts): Promise<Channels> {
    const { https, mqtt, usb } = remote;
    const channels: Channel[] = [];
    if (https !== null) channels.push(new (await import('./https-channel.ts')).HttpsChannel(https, parts));
    if (mqtt !== null) channels.push(new (await import('./mqtt-channel.ts')).MqttChannel(mqtt, parts));
    if (usb !== null) channels.push(new (await import('./usb-channel.ts')).UsbChannel(usb, parts));
    for (const channel of channels) channel.start();
    return new Channels(channels);
  }

  states(): ChannelState[] {
    return this.#channels.map((channel) => channel.state());
  }

  async stop(): Promise<void> {
    await Promise.all(this.#channels.map((channel) => channel.stop()));
  }
}
