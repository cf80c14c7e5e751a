import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { appendFile, copyFile, mkdir, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../../test/fixtures/until.ts';

const ovmf = '/usr/share/OVMF';
/** Under pure emulation, on a loaded machine, a start takes minutes. */
export const startMsMax = 600_000;

export interface MachineOptions {
  /** Gets the disk, the UEFI variables, the TPM's state and the log of the serial port. */
  readonly directory: string;
  /** The image; it is not changed. */
  readonly image: string;
  readonly tpm: boolean;
  readonly diskMiB?: number;
}

/** A box in QEMU: UEFI, virtio disk, i6300esb watchdog, optionally a TPM and a USB stick, serial port on a socket. */
export class Machine {
  readonly directory: string;
  /** Everything the serial port has said, over all starts. */
  serial = '';
  readonly ports: { readonly dicom: number; readonly web: number; readonly https: number };
  readonly #options: MachineOptions;
  #qemu: ChildProcess | null = null;
  #tpm: ChildProcess | null = null;
  #stick: string | null = null;
  #sticks = 0;

  private constructor(options: MachineOptions, ports: Machine['ports']) {
    this.#options = options;
    this.directory = options.directory;
    this.ports = ports;
  }

  static async create(options: MachineOptions): Promise<Machine> {
    const { directory, image, diskMiB = 8192 } = options;
    await mkdir(join(directory, 'tpm'), { recursive: true });
    await copyFile(`${ovmf}/OVMF_VARS_4M.fd`, join(directory, 'vars.fd'));
    const disk = ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', image, join(directory, 'disk.qcow2')];
    execFileSync('qemu-img', [...disk, `${diskMiB}M`]);
    return new Machine(options, { dicom: await freePort(), web: await freePort(), https: await freePort() });
  }

  /** @param stick an image of a USB stick that is in from the start */
  async start(stick?: string): Promise<void> {
    const { directory, tpm } = this.#options;
    if (tpm) await this.#startTpm();
    this.#stick = null;
    const qemu = spawn('qemu-system-x86_64', this.#arguments(), { stdio: ['pipe', 'pipe', 'pipe'] });
    qemu.stdout.on('data', (bytes: Buffer) => {
      this.serial += bytes.toString('latin1');
      void appendFile(join(directory, 'serial.log'), bytes);
    });
    qemu.stderr.on('data', (bytes: Buffer) => void appendFile(join(directory, 'qemu.log'), bytes));
    this.#qemu = qemu;
    if (stick === undefined) return;
    await until(() => this.#qmp('query-status').then(() => true));
    await this.insert(stick);
  }

  #arguments(): string[] {
    const { directory, tpm } = this.#options;
    const { dicom, web, https } = this.ports;
    const forwards = [`${dicom}-:11112`, `${web}-:8080`, `${https}-:8443`];
    // None of the folders has a blank in its name.
    const lines = [
      `-machine q35,accel=${accelerator} -cpu max -smp 2 -m 1536`,
      '-display none -no-user-config -nodefaults -rtc base=utc',
      `-drive if=pflash,format=raw,unit=0,readonly=on,file=${ovmf}/OVMF_CODE_4M.fd`,
      `-drive if=pflash,format=raw,unit=1,file=${directory}/vars.fd`,
      `-drive if=virtio,format=qcow2,file=${directory}/disk.qcow2`,
      `-nic user,model=virtio,${forwards.map((one) => `hostfwd=tcp:127.0.0.1:${one}`).join(',')}`,
      '-device i6300esb -watchdog-action reset -device virtio-rng-pci',
      '-device qemu-xhci -chardev stdio,id=serial -serial chardev:serial',
      `-qmp unix:${directory}/qmp,server=on,wait=off`,
      tpm && `-chardev socket,id=tpm,path=${directory}/tpm.sock`,
      tpm && '-tpmdev emulator,id=tpm,chardev=tpm -device tpm-crb,tpmdev=tpm',
    ];
    return lines.flatMap((line) => (line === false ? [] : line.split(' ')));
  }

  /** Ends it at once, as a crash of the machine does; what its disk was told to keep is kept by the host. */
  async kill(): Promise<void> {
    const qemu = this.#qemu;
    this.#qemu = null;
    if (qemu !== null && qemu.exitCode === null && qemu.signalCode === null) {
      qemu.kill('SIGKILL');
      await once(qemu, 'exit');
    }
    const tpm = this.#tpm;
    this.#tpm = null;
    if (tpm !== null && tpm.exitCode === null && tpm.signalCode === null) {
      tpm.kill('SIGTERM');
      await once(tpm, 'exit');
    }
  }

  /** Presses the power button and waits until it is off. */
  async powerOff(): Promise<void> {
    const qemu = this.#qemu;
    if (qemu === null) return;
    await this.#qmp('system_powerdown');
    await until(() => qemu.exitCode !== null, 180_000);
    await this.kill();
  }

  /** As a box whose board was replaced: its TPM knows nothing. Only while it is off. */
  async replaceTpm(): Promise<void> {
    const folder = join(this.directory, 'tpm');
    await rm(folder, { recursive: true });
    await mkdir(folder);
  }

  type(text: string): void {
    this.#qemu?.stdin?.write(text);
  }

  /** Waits for something on the serial port after `from`, a length of `serial`. */
  async says(pattern: RegExp, from = 0, atMostMs = startMsMax): Promise<RegExpExecArray> {
    let found: RegExpExecArray | null = null;
    try {
      await until(() => (found = pattern.exec(this.serial.slice(from))) !== null, atMostMs);
    } catch (cause) {
      throw new Error(`the console did not say ${pattern}:\n${this.serial.slice(from).slice(-4000)}`, {
        cause,
      });
    }
    return found as unknown as RegExpExecArray;
  }

  async status(): Promise<{ readonly site: { readonly name: string } }> {
    const response = await fetch(`http://127.0.0.1:${this.ports.web}/api/v1/status`, {
      signal: AbortSignal.timeout(10_000),
    });
    return (await response.json()) as { readonly site: { readonly name: string } };
  }

  /** Until the gateway accepts associations. */
  async ready(): Promise<void> {
    const address = `http://127.0.0.1:${this.ports.web}/readyz`;
    try {
      await until(async () => (await fetch(address, { signal: AbortSignal.timeout(5000) })).ok, startMsMax);
    } catch (cause) {
      throw new Error(`it did not become ready:\n${this.serial.slice(-4000)}`, { cause });
    }
  }

  /** Puts a USB stick in, in place of the one that was in. */
  async insert(stick: string): Promise<void> {
    if (this.#stick !== null) {
      const id = this.#stick;
      await this.#qmp('device_del', { id });
      // The guest lets go of it in its own time.
      await until(() => this.#qmp('blockdev-del', { 'node-name': id }).then(() => true), 60_000);
    }
    this.#sticks += 1;
    const id = `stick${this.#sticks}`;
    this.#stick = id;
    const file = { driver: 'file', filename: stick };
    await this.#qmp('blockdev-add', { driver: 'raw', 'node-name': id, 'read-only': true, file });
    await this.#qmp('device_add', { driver: 'usb-storage', id, drive: id });
  }

  /** One command of QEMU's own protocol. @throws Error with its words where it is refused */
  async #qmp(execute: string, args: Record<string, unknown> = {}): Promise<void> {
    const socket = createConnection(join(this.#options.directory, 'qmp'));
    try {
      await once(socket, 'connect');
      const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
      const answer = async (): Promise<void> => {
        for (;;) {
          const { value, done } = await lines.next();
          if (done === true) throw new Error('QEMU went away');
          const message = JSON.parse(value) as { return?: unknown; error?: { desc: string } };
          if (message.error !== undefined) throw new Error(`${execute}: ${message.error.desc}`);
          if ('return' in message) return;
        }
      };
      socket.write('{"execute":"qmp_capabilities"}\n');
      await answer();
      socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
      await answer();
    } finally {
      socket.destroy();
    }
  }

  async #startTpm(): Promise<void> {
    const { directory } = this.#options;
    const state = `dir=${join(directory, 'tpm')}`;
    const path = join(directory, 'tpm.sock');
    await rm(path, { force: true });
    this.#tpm = spawn(
      'swtpm',
      [
        'socket',
        '--tpm2',
        '--tpmstate',
        state,
        '--ctrl',
        `type=unixio,path=${path}`,
        '--flags',
        'startup-clear',
      ],
      { stdio: 'ignore' },
    );
    await until(() => existsSync(path));
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Pure emulation, which works everywhere; `GANTRY_ACCEL=kvm` is faster where the machine has it. */
const accelerator = process.env['GANTRY_ACCEL'] ?? 'tcg';
