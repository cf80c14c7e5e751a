import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusReport } from '../../src/health/status.ts';
import { program } from '../fixtures/program.ts';
import { lineMatching, pidOf, stopChild } from './servers.ts';
import { type LineEnd, lineAddresses, type WanLink } from './wan-link.ts';

/** The programs of the WAN bench, each at one end of the line. */

const orthancProgram = '/usr/sbin/Orthanc';
const orthancPlugin = '/usr/share/orthanc/plugins/libOrthancDicomWeb.so';
const bulkProgram = join(import.meta.dirname, 'wan-bulk.ts');
const startMs = 30_000;
const bulkPort = 5001;

export const orthancPorts = { http: 8042, dicom: 4242 } as const;
export const gantryPorts = { dicom: 11_112, web: 8080 } as const;

export function orthancMissing(): string | null {
  return existsSync(orthancProgram) && existsSync(orthancPlugin)
    ? null
    : 'Orthanc with its DICOMweb plugin is not installed';
}

/** An Orthanc as its package brings it, with DICOMweb; without Nagle's algorithm, which costs it 40 ms an object. */
export class Orthanc {
  readonly #child: ChildProcess;
  /** Its REST API, beside the line. */
  readonly #restUrl: string;

  private constructor(child: ChildProcess, restUrl: string) {
    this.#child = child;
    this.#restUrl = restUrl;
  }

  static async start(link: WanLink, end: LineEnd, directory: string): Promise<Orthanc> {
    await mkdir(directory, { recursive: true });
    const configFile = join(directory, 'orthanc.json');
    await writeFile(configFile, JSON.stringify(orthancConfiguration(directory)));
    const child = link.spawn(end, orthancProgram, [configFile], {
      stdio: 'ignore',
      env: { ...process.env, TCP_NODELAY: '1' },
    });
    const orthanc = new Orthanc(child, `http://${link.watchAddresses[end]}:${orthancPorts.http}`);
    await orthanc.#untilItAnswers();
    return orthanc;
  }

  async instances(): Promise<number> {
    const { CountInstances } = (await this.#get('/statistics')) as { CountInstances: number };
    return CountInstances;
  }

  /** Takes a Part 10 file in, beside the line. @returns its own name for the study of it */
  async take(file: Buffer): Promise<string> {
    const { ParentStudy } = (await this.#ask('POST', '/instances', file)) as { ParentStudy: string };
    return ParentStudy;
  }

  /** Sends a study to the other end by STOW-RS, as it does itself. Resolves once that is done. */
  async stow(study: string, signal: AbortSignal): Promise<void> {
    await this.#ask('POST', '/dicom-web/servers/far/stow', JSON.stringify({ Resources: [study] }), signal);
  }

  /** Forgets everything. */
  async clear(): Promise<void> {
    for (const study of (await this.#get('/studies')) as string[])
      await this.#ask('DELETE', `/studies/${study}`);
  }

  stop(): Promise<void> {
    return stopChild(this.#child);
  }

  #get(path: string): Promise<unknown> {
    return this.#ask('GET', path);
  }

  async #ask(method: string, path: string, body?: string | Buffer, signal?: AbortSignal): Promise<unknown> {
    const answer = await fetch(`${this.#restUrl}${path}`, {
      method,
      body: (body ?? null) as string | null,
      signal: signal ?? null,
    });
    if (!answer.ok) throw new Error(`Orthanc answered ${answer.status} to ${method} ${path}`);
    return answer.json();
  }

  async #untilItAnswers(): Promise<void> {
    const until = performance.now() + startMs;
    for (;;) {
      try {
        await this.instances();
        return;
      } catch (error) {
        if (performance.now() > until || this.#child.exitCode !== null) throw error;
        await sleep(50);
      }
    }
  }
}

function orthancConfiguration(directory: string): object {
  return {
    StorageDirectory: join(directory, 'storage'),
    IndexDirectory: join(directory, 'storage'),
    HttpPort: orthancPorts.http,
    DicomPort: orthancPorts.dicom,
    DicomAet: 'ORTHANC',
    RemoteAccessAllowed: true,
    AuthenticationEnabled: false,
    DicomAlwaysAllowStore: true,
    // Its own limit of a minute is for a whole study: on a slow line it would give up, not be slow.
    HttpTimeout: 3600,
    DicomCheckCalledAet: false,
    UnknownSopClassAccepted: true,
    Plugins: [orthancPlugin],
    DicomWeb: {
      Enable: true,
      Root: '/dicom-web/',
      Servers: { far: { Url: `http://${lineAddresses.far}:${orthancPorts.http}/dicom-web/` } },
    },
  };
}

/** The gateway, at the near end, with the archive at the far end. Its data stays for the next start. */
export class Gantry {
  readonly #child: ChildProcess;
  readonly #statusUrl: string;

  private constructor(child: ChildProcess, statusUrl: string) {
    this.#child = child;
    this.#statusUrl = statusUrl;
  }

  /** @param configuration added to what the bench needs, or instead of it */
  static async start(link: WanLink, directory: string, compression: string | null): Promise<Gantry> {
    await mkdir(directory, { recursive: true });
    const configFile = join(directory, 'bench.json');
    await writeFile(configFile, JSON.stringify(gantryConfiguration(compression)));
    const [command, ...before] = program();
    const args = [...before, 'run', '--data', join(directory, 'data'), '--config', configFile];
    const child = link.spawn('near', command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await lineMatching(child, (line) => line.includes('"event":"ready"'));
    return new Gantry(child, `http://${link.watchAddresses.near}:${gantryPorts.web}/api/v1/status`);
  }

  get pid(): number {
    return pidOf(this.#child);
  }

  async status(): Promise<StatusReport> {
    return (await (await fetch(this.#statusUrl)).json()) as StatusReport;
  }

  stop(): Promise<void> {
    return stopChild(this.#child);
  }
}

function gantryConfiguration(compression: string | null): object {
  return {
    site: { name: 'Bench' },
    intake: { host: '0.0.0.0', port: gantryPorts.dicom, unknownCallers: 'accept' },
    spool: { reserveBytes: 1_000_000_000, preparedBytes: 0 },
    destinations: {
      archive: {
        type: 'stow',
        url: `http://${lineAddresses.far}:${orthancPorts.http}/dicom-web/studies`,
      },
    },
    ...(compression === null ? {} : { compression: { mode: compression } }),
    web: { host: '0.0.0.0', port: gantryPorts.web },
  };
}

/** Parallel TCP flows of plain bytes: what the line carries at most. */
export class BulkFlows {
  readonly #link: WanLink;
  readonly #sink: ChildProcess;

  private constructor(link: WanLink, sink: ChildProcess) {
    this.#link = link;
    this.#sink = sink;
  }

  static async start(link: WanLink): Promise<BulkFlows> {
    const sink = link.spawn('far', process.execPath, [bulkProgram, 'sink', String(bulkPort)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await lineMatching(sink, () => true);
    return new BulkFlows(link, sink);
  }

  /** @returns seconds from the first connection to the last byte confirmed */
  async send(bytes: number, flows: number): Promise<number> {
    const to = [lineAddresses.far, bulkPort, bytes, flows].map(String);
    const output = await this.#link.run('near', process.execPath, [bulkProgram, 'send', ...to]);
    return (JSON.parse(output) as { seconds: number }).seconds;
  }

  stop(): Promise<void> {
    return stopChild(this.#sink);
  }
}
