import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A line as a clinic has it; the same in both directions. */
export interface LineProfile {
  readonly name: string;
  readonly megabitsPerSecond: number;
  readonly roundTripMs: number;
  /** Of packets, in each direction. */
  readonly lossPercent: number;
  /** What waits in front of the line at most; more is dropped. */
  readonly queueMs: number;
}

export const congestionControls = ['bbr', 'cubic'] as const;
export type CongestionControl = (typeof congestionControls)[number];

/** The two ends of the line: `near` is the clinic, `far` the archive. */
export type LineEnd = 'near' | 'far';

/** Over the line, between the two ends. */
export const lineAddresses = { near: '10.209.0.1', far: '10.209.0.2' } as const;

interface DirectionReport {
  readonly bytes: number;
  readonly packets: number;
  readonly lost: number;
  readonly overflowed: number;
  /** Seconds on the monotonic clock of the machine; null before the first packet. */
  readonly first_at: number | null;
  readonly last_at: number | null;
}

/** What the line carried since it was last marked. `up` is from near to far. */
export interface LineReport {
  readonly now: number;
  readonly up: DirectionReport;
  readonly down: DirectionReport;
}

const relay = join(import.meta.dirname, 'wan-relay.py');
const namePrefix = 'gantry-wan-';

/** Why no line can be emulated here, or null. */
export function lineMissing(): string | null {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux';
  if (process.getuid?.() !== 0) return 'making network namespaces needs root';
  if (!existsSync('/dev/net/tun')) return 'this machine has no /dev/net/tun';
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    return '/dev/net/tun cannot be opened';
  }
  const paths = (process.env['PATH'] ?? '').split(':');
  const without = ['ip', 'python3', 'sysctl'].filter(
    (name) => !paths.some((path) => existsSync(join(path, name))),
  );
  return without.length === 0 ? null : `${without.join(', ')} is not installed`;
}

/**
 * Two network namespaces and the emulated line between them. Each has its own way to this machine besides the
 * line, so that what is measured can be watched without using the line.
 */
export class WanLink implements AsyncDisposable {
  readonly #profile: LineProfile;
  readonly #name: Readonly<Record<LineEnd, string>>;
  /** Addresses by which this process reaches either end beside the line. */
  readonly watchAddresses: Readonly<Record<LineEnd, string>>;
  #congestionControl: CongestionControl = 'cubic';
  #relay: ChildProcess | null = null;
  #answers: Interface | null = null;

  private constructor(profile: LineProfile) {
    this.#profile = profile;
    this.#name = { near: `${namePrefix}${process.pid}-near`, far: `${namePrefix}${process.pid}-far` };
    this.watchAddresses = { near: watchAddress('near', 2), far: watchAddress('far', 2) };
  }

  /** @throws Error where the machine does not let us; what was made is gone then */
  static async open(profile: LineProfile): Promise<WanLink> {
    await removeLeftOvers();
    const link = new WanLink(profile);
    try {
      await link.#make();
      return link;
    } catch (error) {
      await link[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a program at one end. Its pid is that of the program itself. */
  spawn(end: LineEnd, command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    return spawn('ip', ['netns', 'exec', this.#name[end], command, ...args], options);
  }

  /** Runs a program at one end to its end. @throws Error where it fails, with what it said last */
  async run(end: LineEnd, command: string, args: readonly string[], signal?: AbortSignal): Promise<string> {
    const inside = ['netns', 'exec', this.#name[end], command, ...args];
    const { stdout } = await run('ip', inside, { signal }).catch((error: unknown) => {
      throw runFailure(`${command} ${args[0] ?? ''}`, error);
    });
    return stdout;
  }

  /** Which of the congestion controls this machine has. */
  async congestionControlsHere(): Promise<CongestionControl[]> {
    const text = await this.run('near', 'sysctl', ['-n', 'net.ipv4.tcp_available_congestion_control']);
    const available = text.trim().split(/\s+/);
    return congestionControls.filter((name) => available.includes(name));
  }

  /** For connections made from now on, at both ends. */
  async useCongestionControl(name: CongestionControl): Promise<void> {
    this.#congestionControl = name;
    await this.#setRoutes();
  }

  /** Begins to count anew. */
  async mark(): Promise<void> {
    await this.#ask('mark');
  }

  report(): Promise<LineReport> {
    return this.#ask('report');
  }

  /** Takes the near end off the line: nothing can be connected to. */
  async unplug(): Promise<void> {
    await this.#run('near', 'ip', 'link', 'set', 'wan0', 'down');
  }

  async plugIn(): Promise<void> {
    await this.#run('near', 'ip', 'link', 'set', 'wan0', 'up');
    await this.#setRoutes();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#relay?.stdin?.end();
    for (const end of lineEnds) await removeNamespace(this.#name[end]);
  }

  async #make(): Promise<void> {
    for (const end of lineEnds) {
      await run('ip', ['netns', 'add', this.#name[end]]);
      await this.#run(end, 'ip', 'link', 'set', 'lo', 'up');
      await this.#makeWatchWay(end);
    }
    await this.#startRelay();
    for (const end of lineEnds) {
      await this.#run(end, 'ip', 'address', 'add', `${lineAddresses[end]}/30`, 'dev', 'wan0');
      await this.#run(end, 'ip', 'link', 'set', 'wan0', 'txqueuelen', '4000', 'up');
      // What one run learns about the line must not help the next.
      await this.#sysctl(end, 'net.ipv4.tcp_no_metrics_save', '1');
    }
  }

  async #makeWatchWay(end: LineEnd): Promise<void> {
    const here = `gw${process.pid}${end[0]}`;
    await run('ip', `link add ${here} type veth peer name watch0 netns ${this.#name[end]}`.split(' '));
    await run('ip', ['address', 'add', `${watchAddress(end, 1)}/30`, 'dev', here]);
    await run('ip', ['link', 'set', here, 'up']);
    await this.#run(end, 'ip', 'address', 'add', `${watchAddress(end, 2)}/30`, 'dev', 'watch0');
    await this.#run(end, 'ip', 'link', 'set', 'watch0', 'up');
  }

  async #startRelay(): Promise<void> {
    const { roundTripMs, megabitsPerSecond, lossPercent, queueMs } = this.#profile;
    const line = [roundTripMs / 2, megabitsPerSecond, lossPercent, queueMs].map(String);
    this.#relay = spawn('python3', [relay, this.#name.near, this.#name.far, ...line], {
      stdio: ['pipe', 'pipe', 'inherit'],
      // Ctrl-C is for the bench, which then ends the relay.
      detached: true,
    });
    if (this.#relay.stdout === null) throw new Error('the output of the relay is not piped');
    this.#answers = createInterface({ input: this.#relay.stdout });
    await this.#nextAnswer();
  }

  async #ask(command: 'mark' | 'report'): Promise<LineReport> {
    const answer = this.#nextAnswer();
    this.#relay?.stdin?.write(`${command}\n`);
    return JSON.parse(await answer) as LineReport;
  }

  #nextAnswer(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const answers = this.#answers;
    const ended = () => reject(new Error('the relay of the line has ended'));
    answers?.once('line', resolve).once('close', ended);
    return promise.finally(() => answers?.off('line', resolve).off('close', ended));
  }

  /** By the route: a namespace may set as its default only what the whole machine allows everybody. */
  async #setRoutes(): Promise<void> {
    for (const [end, other] of [
      ['near', 'far'],
      ['far', 'near'],
    ] as const) {
      const route = `${lineAddresses[other]}/32 dev wan0 congctl ${this.#congestionControl}`;
      await this.#run(end, 'ip', 'route', 'replace', ...route.split(' '));
    }
  }

  async #sysctl(end: LineEnd, name: string, value: string): Promise<void> {
    await this.#run(end, 'sysctl', '-q', '-w', `${name}=${value}`);
  }

  async #run(end: LineEnd, command: string, ...args: string[]): Promise<void> {
    await this.run(end, command, args);
  }
}

/** What a program said last; the error of Node repeats its whole command line, with the path of each image. */
function runFailure(program: string, error: unknown): Error {
  const { stderr = '', code = '?' } = error as { stderr?: string; code?: number | string };
  return new Error(`${program} failed (${code}): ${stderr.trim().split('\n').slice(-3).join('; ')}`);
}

const lineEnds: readonly LineEnd[] = ['near', 'far'];

function watchAddress(end: LineEnd, host: 1 | 2): string {
  // Of its own for each bench process, so that two may run side by side.
  const octet = process.pid % 250;
  return `10.${end === 'near' ? 210 : 211}.${octet}.${host}`;
}

/** Of a bench that was killed. */
async function removeLeftOvers(): Promise<void> {
  const names = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  for (const name of names) {
    const pid = new RegExp(`^${namePrefix}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    await removeNamespace(name);
  }
}

/** And every program that still runs in it, which would keep it. */
async function removeNamespace(name: string): Promise<void> {
  const { stdout } = await run('ip', ['netns', 'pids', name]).catch(() => ({ stdout: '' }));
  for (const pid of stdout.split('\n').map(Number)) {
    if (pid > 0) kill(pid);
  }
  await run('ip', ['netns', 'del', name]).catch(() => {});
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
