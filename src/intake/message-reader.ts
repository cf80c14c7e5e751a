import { type CommandSet, readCommandSet } from './command-set.ts';
import { faults, ProtocolFault } from './faults.ts';
import type { FragmentFrame } from './pdu-framer.ts';

/** Takes the messages of an association. A returned promise means "hold the peer back until it resolves". */
export interface MessageSink {
  command(contextId: number, command: CommandSet): Promise<void> | undefined;
  /** The next bytes of the data set, as they lie in memory; they belong to the sink afterwards. */
  data(bytes: Buffer): Promise<void> | undefined;
  /** The data set is complete, or the command had none. */
  messageEnded(): Promise<void> | undefined;
}

/** Fragments a command may come in: none needs more than a few. */
export const commandFragmentsMax = 1024;

/** Makes messages of fragments and checks their order (PS3.7 §6.3, PS3.8 Annex E): a command, then its data set. */
export class MessageReader {
  readonly #accepted: ReadonlySet<number>;
  readonly #commandBytesMax: number;
  readonly #sink: MessageSink;
  #expect: 'command' | 'data' = 'command';
  /** Context of the message under way, null between messages. */
  #contextId: number | null = null;
  #command: Buffer[] = [];
  #commandBytes = 0;
  #commandFragments = 0;

  /** @param accepted ids of the accepted presentation contexts */
  constructor(accepted: ReadonlySet<number>, commandBytesMax: number, sink: MessageSink) {
    this.#accepted = accepted;
    this.#commandBytesMax = commandBytesMax;
    this.#sink = sink;
  }

  /** A message has begun and its end has not come. */
  get midMessage(): boolean {
    return this.#contextId !== null;
  }

  /** @throws ProtocolFault */
  take(fragment: FragmentFrame): Promise<void> | undefined {
    const { contextId } = fragment;
    if (!this.#accepted.has(contextId)) throw new ProtocolFault(faults.contextUnknown);
    if (fragment.command !== (this.#expect === 'command')) throw new ProtocolFault(faults.outOfOrder);
    if (this.#contextId !== null && this.#contextId !== contextId) throw new ProtocolFault(faults.outOfOrder);
    this.#contextId = contextId;
    return fragment.command ? this.#takeCommand(fragment) : this.#takeData(fragment);
  }

  #takeCommand({ contextId, bytes, last }: FragmentFrame): Promise<void> | undefined {
    this.#commandBytes += bytes.length;
    this.#commandFragments += 1;
    if (this.#commandBytes > this.#commandBytesMax || this.#commandFragments > commandFragmentsMax) {
      throw new ProtocolFault(faults.commandTooLong);
    }
    this.#command.push(bytes);
    if (!last) return undefined;
    const command = readCommandSet(Buffer.concat(this.#command, this.#commandBytes));
    this.#command = [];
    this.#commandBytes = 0;
    this.#commandFragments = 0;
    const wait = this.#sink.command(contextId, command);
    if (!command.hasDataSet) return this.#end(wait);
    this.#expect = 'data';
    return wait;
  }

  #takeData({ bytes, last }: FragmentFrame): Promise<void> | undefined {
    const wait = bytes.length > 0 ? this.#sink.data(bytes) : undefined;
    return last ? this.#end(wait) : wait;
  }

  #end(wait: Promise<void> | undefined): Promise<void> | undefined {
    this.#expect = 'command';
    this.#contextId = null;
    return wait === undefined ? this.#sink.messageEnded() : wait.then(() => this.#sink.messageEnded());
  }
}
