import { execFile } from 'node:child_process';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import Table from 'cli-table3';
import { type LoadResult, median, percentile, runLoad } from './load.ts';
import { type ObjectSize, objectSizes } from './objects.ts';
import { cpuSeconds, RssWatch } from './process-stats.ts';
import {
  freePort,
  missing,
  type RunningServer,
  type ServerName,
  serverNames,
  startArchive,
  startServer,
} from './servers.ts';

/**
 * How fast objects are taken: Gantry beside the bare ceiling, DCMTK storescp and Orthanc, each in its own
 * directory on the same disk, one after the other within the same minute, forth and back.
 */

const usage = `npm run bench -- intake [options]
  --sizes mr,ct,mg         objects of 32 kB, 525 kB, 25 MB
  --associations 1,4,16    at the same time
  --seconds 1              of one run
  --runs 3                 of each server; the median counts
  --servers a,b            of: ${serverNames.join(', ')}
  --forward                Gantry also forwards, to the sandbox archive; otherwise its archive is down
  --prepared 0             MiB that Gantry writes in advance, in idle moments before its runs
  --directory DIR          where the disk under test is mounted`;

/** Without flags: what fits into three minutes. */
const combinationsDefault: readonly Combination[] = [
  { size: 'ct', associations: 1 },
  { size: 'ct', associations: 4 },
  { size: 'ct', associations: 16 },
  { size: 'mr', associations: 1 },
  { size: 'mr', associations: 16 },
  { size: 'mg', associations: 1 },
  { size: 'mg', associations: 4 },
];

interface Combination {
  readonly size: ObjectSize;
  readonly associations: number;
}

interface Options {
  readonly combinations: readonly Combination[];
  readonly servers: readonly ServerName[];
  readonly seconds: number;
  readonly runs: number;
  readonly forward: boolean;
  readonly preparedBytes: number;
  readonly directory: string;
}

interface Measured {
  readonly load: LoadResult;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
}

interface Row extends Combination {
  readonly server: ServerName;
  readonly acksPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly objects: number;
  readonly cpuSecondsPerGigabyte: number;
  readonly peakRssMiB: number;
  /** Gantry's acknowledgements per second over this server's. */
  readonly gantryRatio: number | null;
}

export async function benchIntake(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options === null) return console.log(usage);
  await describe(options);
  const rows: Row[] = [];
  for (const combination of options.combinations) {
    rows.push(...(await measureCombination(combination, options)));
    console.log(tableOf(rows.filter((row) => isOf(row, combination))));
  }
  console.log(
    JSON.stringify({
      bench: 'intake',
      forward: options.forward,
      prepared: options.preparedBytes,
      runs: options.runs,
      rows,
    }),
  );
}

function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sizes: { type: 'string' },
      associations: { type: 'string' },
      servers: { type: 'string' },
      seconds: { type: 'string', default: '1' },
      runs: { type: 'string', default: '3' },
      forward: { type: 'boolean', default: false },
      prepared: { type: 'string', default: '0' },
      directory: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const sizes = (values.sizes ?? 'ct').split(',').filter((name): name is ObjectSize => name in objectSizes);
  const associations = (values.associations ?? '1,4,16').split(',').map(Number);
  const named = values.servers?.split(',');
  const chosen = values.sizes !== undefined || values.associations !== undefined;
  return {
    combinations: chosen
      ? sizes.flatMap((size) => associations.map((count) => ({ size, associations: count })))
      : combinationsDefault,
    servers: serverNames.filter((name) => named === undefined || named.includes(name)),
    seconds: Number(values.seconds),
    runs: Number(values.runs),
    forward: values.forward,
    preparedBytes: Number(values.prepared) * 2 ** 20,
    directory: values.directory,
  };
}

const tmpfsMagic = 0x01021994;

async function describe(options: Options): Promise<void> {
  const { type } = await statfs(options.directory);
  if (type === tmpfsMagic)
    console.log(`NOTICE: ${options.directory} is memory, not a disk: syncs cost nothing here.`);
  const [load = 0] = loadavg();
  if (load > availableParallelism() / 2) {
    console.log(`NOTICE: this machine is busy (load ${load.toFixed(1)}): all figures are low and uneven.`);
  }
  for (const name of options.servers) {
    const why = missing(name);
    if (why !== null) console.log(`NOTICE: ${name} does not take part: ${why}.`);
  }
  const archive = options.forward ? 'forwarding to the sandbox archive' : 'archive down';
  console.log(
    `Gantry: ${archive}. ${options.runs} runs of ${options.seconds} s each, servers in turn, medians.\n` +
      'Shipped peers run once, with one association: they wait 40 ms for every object.\n' +
      'storescp neither syncs nor encrypts; Orthanc does not encrypt.',
  );
}

async function measureCombination(combination: Combination, options: Options): Promise<Row[]> {
  const directory = await mkdtemp(join(options.directory, 'gantry-bench-'));
  const archive = options.forward ? await startArchive(join(directory, 'archive')) : null;
  const archiveUrl = archive?.url ?? `http://127.0.0.1:${await freePort()}/dicom-web/studies`;
  const servers: RunningServer[] = [];
  try {
    for (const name of options.servers) {
      const left = name.endsWith('shipped') && combination.associations > 1;
      if (missing(name) === null && !left)
        servers.push(
          await startServer(name, { directory, archiveUrl, preparedBytes: options.preparedBytes }),
        );
    }
    const measured = await measureInTurn(servers, combination, options);
    return rowsOf(combination, measured);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await archive?.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measureInTurn(
  servers: readonly RunningServer[],
  { size, associations }: Combination,
  options: Options,
): Promise<Map<ServerName, Measured[]>> {
  const measured = new Map<ServerName, Measured[]>(servers.map(({ name }) => [name, []]));
  for (const server of servers) {
    await runLoad(server.target, { size, associations, seconds: options.seconds / 4 });
    await server.tidy();
  }
  for (let run = 0; run < options.runs; run++) {
    for (const server of run % 2 === 0 ? servers : servers.toReversed()) {
      if (run > 0 && server.name.endsWith('shipped')) continue;
      await settleDisk();
      const before = cpuSeconds(server.pid);
      const watch = new RssWatch(server.pid);
      const load = await runLoad(server.target, { size, associations, seconds: options.seconds });
      const peakRssBytes = watch.stop();
      measured.get(server.name)?.push({ load, cpuSeconds: cpuSeconds(server.pid) - before, peakRssBytes });
      await server.tidy();
    }
  }
  return measured;
}

/** What one server left to be written must not slow the next one down. */
async function settleDisk(): Promise<void> {
  await promisify(execFile)('sync');
}

function rowsOf(combination: Combination, measured: ReadonlyMap<ServerName, readonly Measured[]>): Row[] {
  const rate = (name: ServerName): number =>
    median((measured.get(name) ?? []).map(({ load }) => load.objects / load.seconds));
  const gantry = measured.has('gantry') ? rate('gantry') : null;
  return [...measured].map(([server, runs]) => {
    const latencies = runs.flatMap(({ load }) => load.latenciesMs).toSorted((a, b) => a - b);
    const bytes = runs.reduce((sum, { load }) => sum + load.bytes, 0);
    return {
      ...combination,
      server,
      acksPerSecond: rate(server),
      megabytesPerSecond: median(runs.map(({ load }) => load.bytes / load.seconds / 1e6)),
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      objects: latencies.length,
      cpuSecondsPerGigabyte: runs.reduce((sum, run) => sum + run.cpuSeconds, 0) / (bytes / 1e9),
      peakRssMiB: Math.max(...runs.map((run) => run.peakRssBytes)) / 2 ** 20,
      gantryRatio: gantry === null ? null : gantry / rate(server),
    };
  });
}

function isOf(row: Row, { size, associations }: Combination): boolean {
  return row.size === size && row.associations === associations;
}

function tableOf(rows: readonly Row[]): string {
  const head = [
    'Object',
    'Assoc.',
    'Server',
    'Acks/s',
    'MB/s',
    'p50 ms',
    'p99 ms',
    'n',
    'CPU s/GB',
    'RSS MiB',
    'Gantry ÷ it',
  ];
  const table = new Table({
    head,
    colAligns: head.map((_, column) => (column === 0 || column === 2 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    table.push([
      objectSizes[row.size].name,
      row.associations,
      row.server,
      row.acksPerSecond.toFixed(row.acksPerSecond < 100 ? 1 : 0),
      row.megabytesPerSecond.toFixed(1),
      row.p50Ms.toFixed(2),
      row.p99Ms.toFixed(2),
      row.objects,
      row.cpuSecondsPerGigabyte.toFixed(2),
      row.peakRssMiB.toFixed(0),
      row.gantryRatio === null ? '-' : row.gantryRatio.toFixed(2),
    ]);
  }
  return table.toString();
}
