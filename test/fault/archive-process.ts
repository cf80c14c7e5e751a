import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { program } from '../fixtures/program.ts';

/** The sandbox archive as a process of its own, on one port for as long as it is started again and again. */
export class ArchiveProcess {
  readonly directory: string;
  #child: ChildProcess | null = null;
  #url = '';

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Address of its studies service; known after the first start. */
  get url(): string {
    return this.#url;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  async start(): Promise<void> {
    const port = this.#url === '' ? '0' : new URL(this.#url).port;
    const [command, ...before] = program();
    const args = [...before, 'sandbox-archive', '--data', this.directory, '--port', port];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    this.#url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.includes('"event":"ready"')) resolve((JSON.parse(line) as { url: string }).url);
      });
      child.once('exit', (code) => reject(new Error(`the archive ended with ${String(code)}`)));
    });
  }

  /** SIGKILL; resolves once it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
}
