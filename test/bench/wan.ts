import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { median } from './load.ts';
import {
  instancesFor,
  loadMaterial,
  type Material,
  type Modality,
  makeStudy,
  modalities,
} from './study-material.ts';
import {
  type CongestionControl,
  congestionControls,
  type LineProfile,
  lineMissing,
  WanLink,
} from './wan-link.ts';
import { BulkFlows, Orthanc, orthancMissing } from './wan-programs.ts';
import {
  type Beginning,
  beginnings,
  type Scene,
  type SenderName,
  type SentStudy,
  sendBy,
  senderNames,
} from './wan-senders.ts';

/**
 * A study over an emulated line: Gantry beside the line's ceiling (parallel TCP flows of plain bytes), Orthanc's own
 * STOW-RS client and DCMTK storescu, each with the same bytes, one after the other in the same minutes.
 */

const usage = `npm run bench -- wan [options]
  --lines lossy            of: dsl (5 Mbit/s, 60 ms), lossy (50 Mbit/s, 80 ms, 0.5 % loss),
                           fibre (300 Mbit/s, 20 ms), satellite (20 Mbit/s, 600 ms, 1 % loss); or "all"
  --control bbr,cubic      congestion control at both ends
  --runs 5                 the median counts
  --megabytes N            of the study, instead of 52 (dsl: 10)
  --modality CT            of: ${modalities.join(', ')}; several, or "all", give the table by modality
  --senders a,b            of: ${senderNames.join(', ')}
  --from backlog           when the time of Gantry begins: ${beginnings.join(' or ')} (see test/bench/wan-senders.ts)
  --compression MODE       written into Gantry's configuration as compression.mode
  --directory DIR          for everybody's data`;

/** Queues of half a second, as the modems of slow lines have; loss and rate are those of each direction. */
const lines: Readonly<Record<string, LineProfile & { readonly megabytes: number }>> = {
  dsl: line('DSL 5 Mbit/s, 60 ms', 5, 60, 0, 10),
  lossy: line('50 Mbit/s, 80 ms, 0.5 % loss', 50, 80, 0.5, 52),
  fibre: line('fibre 300 Mbit/s, 20 ms', 300, 20, 0, 52),
  satellite: line('satellite 20 Mbit/s, 600 ms, 1 % loss', 20, 600, 1, 52),
};

function line(
  name: string,
  megabitsPerSecond: number,
  roundTripMs: number,
  lossPercent: number,
  megabytes: number,
): LineProfile & { readonly megabytes: number } {
  return { name, megabitsPerSecond, roundTripMs, lossPercent, queueMs: 500, megabytes };
}

const ceilingFlows = 4;
/** How much longer than the bytes need at the rate of the line a run may take … */
const patienceFactor = 20;
/** … or than they need on one flow under a congestion control that takes every loss for a full line. */
const oneFlowFactor = 3;
const patienceSecondsMin = 120;
const segmentBits = 1448 * 8;

interface Options {
  readonly lines: readonly string[];
  readonly controls: readonly CongestionControl[];
  readonly runs: number;
  readonly megabytes: number | null;
  readonly modalities: readonly Modality[];
  readonly senders: readonly SenderName[];
  readonly from: Beginning;
  readonly compression: string | null;
  readonly directory: string;
}

/** What one flow carries where loss alone bounds it (Mathis et al. 1997), or the line. */
function oneFlowBitsPerSecond({ megabitsPerSecond, roundTripMs, lossPercent }: LineProfile): number {
  const lossBound = (1.22 * segmentBits) / ((roundTripMs / 1000) * Math.sqrt(lossPercent / 100));
  return Math.min(megabitsPerSecond * 1e6, lossBound);
}

interface Row {
  readonly line: string;
  readonly control: CongestionControl;
  readonly modality: Modality;
  readonly instances: number;
  readonly megabytes: number;
  readonly sender: SenderName | 'ceiling';
  readonly storedSeconds: number;
  readonly verifiedSeconds: number | null;
  readonly megabitsPerSecond: number;
  /** Goodput over that of the ceiling in the same round; median. */
  readonly ceilingRatio: number;
  /** Gantry's goodput over this sender's in the same round; median. */
  readonly gantryRatio: number | null;
  /** Time over what the raw bytes need at the rate of the line. */
  readonly rawShare: number;
  readonly upBytesRatio: number | null;
  readonly downBytesRatio: number | null;
}

export async function benchWan(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options === null) return console.log(usage);
  const missing = lineMissing() ?? orthancMissing();
  if (missing !== null) return console.log(`NOTICE: the WAN bench cannot run here: ${missing}.`);
  describe(options);
  const rows: Row[] = [];
  for (const name of options.lines) {
    const profile = lines[name];
    if (profile !== undefined) rows.push(...(await measureLine(profile, options)));
  }
  console.log(JSON.stringify({ bench: 'wan', ...options, rows }));
}

function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      lines: { type: 'string', default: 'lossy' },
      control: { type: 'string', default: congestionControls.join(',') },
      runs: { type: 'string', default: '5' },
      megabytes: { type: 'string' },
      modality: { type: 'string', default: 'CT' },
      senders: { type: 'string', default: senderNames.join(',') },
      from: { type: 'string', default: 'backlog' },
      compression: { type: 'string' },
      directory: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const listed = <T extends string>(text: string, all: readonly T[]): T[] =>
    text === 'all' ? [...all] : all.filter((each) => text.split(',').includes(each));
  return {
    lines: listed(values.lines, Object.keys(lines)),
    controls: listed(values.control, congestionControls),
    runs: Number(values.runs),
    megabytes: values.megabytes === undefined ? null : Number(values.megabytes),
    modalities: listed(values.modality, modalities),
    senders: listed(values.senders, senderNames),
    from: beginnings.find((each) => each === values.from) ?? 'backlog',
    compression: values.compression ?? null,
    directory: values.directory,
  };
}

function describe({ runs, from, compression }: Options): void {
  const [load = 0] = loadavg();
  if (load > availableParallelism() / 2) {
    console.log(
      `NOTICE: this machine is busy (load ${load.toFixed(1)}): figures of fast lines are low and uneven.`,
    );
  }
  console.log(
    `${runs} rounds, medians. Ceiling: ${ceilingFlows} parallel TCP flows of as many bytes, in the same round.\n` +
      `Time of Gantry from: ${from}. Compression: ${compression ?? 'as configured by default'}.\n` +
      'Archive: Orthanc with its DICOMweb plugin, plain http. storescu and Orthanc run with TCP_NODELAY=1.\n' +
      'Loss and rate in each direction; queue 500 ms; segments of 1500 bytes.',
  );
}

async function measureLine(
  profile: LineProfile & { readonly megabytes: number },
  options: Options,
): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  let interrupted = false;
  const interrupt = () => {
    // A terminal and npm may both pass it on; the second must not end us half-way.
    if (interrupted) return;
    interrupted = true;
    void stack.disposeAsync().finally(() => process.exit(130));
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, interrupt);
    stack.defer(() => void process.off(signal, interrupt));
  }
  const directory = await mkdtemp(join(options.directory, 'gantry-bench-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const link = stack.use(await WanLink.open(profile));
  try {
    return await measureControls({ link, directory, profile, options });
  } catch (error) {
    // What fails because everything is being taken away is no failure.
    if (interrupted) await new Promise<never>(() => {});
    throw error;
  }
}

async function measureControls(place: Omit<Measurement, 'control' | 'material'>): Promise<Row[]> {
  const { link, profile, options } = place;
  const rows: Row[] = [];
  const available = await link.congestionControlsHere();
  for (const control of options.controls) {
    if (!available.includes(control)) {
      console.log(
        `NOTICE: this machine has no ${control.toUpperCase()}: it is left out (modprobe tcp_${control}).`,
      );
      continue;
    }
    await link.useCongestionControl(control);
    for (const modality of options.modalities) {
      const material = await loadMaterial(modality);
      if (material === null) console.log(`NOTICE: there are no images of ${modality} here: left out.`);
      else rows.push(...(await measureMaterial({ ...place, control, material })));
    }
    console.log(
      tableOf(
        `${profile.name}, ${control.toUpperCase()}`,
        rows.filter((row) => row.control === control),
      ),
    );
  }
  return rows;
}

interface Measurement {
  readonly link: WanLink;
  readonly directory: string;
  readonly profile: LineProfile & { readonly megabytes: number };
  readonly control: CongestionControl;
  readonly material: Material;
  readonly options: Options;
}

type Round = ReadonlyMap<SenderName | 'ceiling', SentStudy>;

async function measureMaterial(measurement: Measurement): Promise<Row[]> {
  const { link, profile, options, material } = measurement;
  const bytes = (options.megabytes ?? profile.megabytes) * 1e6;
  const rawSeconds = (bytes * 8) / (profile.megabitsPerSecond * 1e6);
  const instances = instancesFor(material, bytes);
  await using stack = new AsyncDisposableStack();
  const farDirectory = join(measurement.directory, 'far-orthanc');
  stack.defer(() => rm(farDirectory, { recursive: true, force: true }));
  // Made anew, so that its sockets too use the congestion control.
  const farOrthanc = await Orthanc.start(link, 'far', farDirectory);
  stack.defer(() => farOrthanc.stop());
  const bulk = await BulkFlows.start(link);
  stack.defer(() => bulk.stop());
  const scene: Scene = {
    link,
    farOrthanc,
    directory: measurement.directory,
    compression: options.compression,
    patienceSeconds: Math.max(
      patienceSecondsMin,
      rawSeconds * patienceFactor,
      ((bytes * 8) / oneFlowBitsPerSecond(profile)) * oneFlowFactor,
    ),
  };
  const rounds: Round[] = [];
  for (let run = 0; run < options.runs; run++) {
    const round = new Map<SenderName | 'ceiling', SentStudy>();
    const ceilingSeconds = await bulk.send(bytes, ceilingFlows);
    round.set('ceiling', {
      storedSeconds: ceilingSeconds,
      verifiedSeconds: null,
      upBytesRatio: Number.NaN,
      downBytesRatio: Number.NaN,
    });
    for (const sender of run % 2 === 0 ? options.senders : options.senders.toReversed()) {
      round.set(sender, await sendBy(sender, makeStudy(material, instances), scene, options.from));
    }
    rounds.push(round);
    console.log(wordsOf(round, `${profile.name}, ${measurement.control}, round ${run + 1}`));
  }
  return rowsOf(measurement, rounds, { bytes, instances, rawSeconds });
}

function wordsOf(round: Round, title: string): string {
  const parts = [...round].map(([name, { storedSeconds, verifiedSeconds }]) => {
    const verified = verifiedSeconds === null ? '' : `, verified ${verifiedSeconds.toFixed(2)} s`;
    return `${name} ${storedSeconds.toFixed(2)} s${verified}`;
  });
  return `  ${title}: ${parts.join('; ')}`;
}

function rowsOf(
  { profile, control, material, options }: Measurement,
  rounds: readonly Round[],
  study: { readonly bytes: number; readonly instances: number; readonly rawSeconds: number },
): Row[] {
  const megabytes = study.bytes / 1e6;
  return (['ceiling', ...options.senders] as const).map((sender) => {
    const middle = (value: (round: Round) => number | null | undefined): number =>
      median(rounds.map((round) => value(round) ?? Number.NaN));
    const counted = (name: 'upBytesRatio' | 'downBytesRatio'): number | null =>
      sender === 'ceiling' ? null : middle((round) => round.get(sender)?.[name]);
    const storedSeconds = middle((round) => round.get(sender)?.storedSeconds);
    const ratioTo = (round: Round, other: SenderName | 'ceiling', of: SenderName | 'ceiling'): number =>
      (round.get(of)?.storedSeconds ?? Number.NaN) / (round.get(other)?.storedSeconds ?? Number.NaN);
    return {
      line: profile.name,
      control,
      modality: material.modality,
      instances: study.instances,
      megabytes,
      sender,
      storedSeconds,
      verifiedSeconds: sender === 'gantry' ? middle((round) => round.get(sender)?.verifiedSeconds) : null,
      megabitsPerSecond: (megabytes * 8) / storedSeconds,
      ceilingRatio: middle((round) => ratioTo(round, sender, 'ceiling')),
      gantryRatio: options.senders.includes('gantry')
        ? middle((round) => ratioTo(round, 'gantry', sender))
        : null,
      rawShare: storedSeconds / study.rawSeconds,
      upBytesRatio: counted('upBytesRatio'),
      downBytesRatio: counted('downBytesRatio'),
    };
  });
}

function tableOf(title: string, rows: readonly Row[]): string {
  const head = [
    'Study',
    'Sender',
    'Stored s',
    'Verified s',
    'Mbit/s',
    '÷ ceiling',
    'Gantry ÷ it',
    '÷ raw at rate',
    'Bytes up',
    'down',
  ];
  const table = new Table({
    head,
    colAligns: head.map((_, column) => (column < 2 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    table.push([
      `${row.instances} ${row.modality}, ${row.megabytes.toFixed(0)} MB`,
      row.sender,
      row.storedSeconds.toFixed(2),
      row.verifiedSeconds?.toFixed(2) ?? '-',
      row.megabitsPerSecond.toFixed(1),
      row.ceilingRatio.toFixed(3),
      row.gantryRatio?.toFixed(2) ?? '-',
      row.rawShare.toFixed(3),
      row.upBytesRatio?.toFixed(3) ?? '-',
      row.downBytesRatio?.toFixed(3) ?? '-',
    ]);
  }
  return `${title}\n${table.toString()}`;
}
