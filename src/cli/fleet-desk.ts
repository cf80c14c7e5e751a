import type { Command } from 'commander';
import type { FleetProblem } from '../fleet/fleet-file.ts';
import { usage } from './arguments.ts';
import { exitCodes } from './exit-codes.ts';
import { type UnlockOptions, vaultOpener, withUnlock } from './fleet-secrets.ts';
import { plainTable } from './words.ts';

interface JsonOption {
  readonly json?: boolean;
}

const asJson = ['--json', 'as JSON'] as const;

/** What central IT writes, checks and renders: the git folder and what it says for each box. */
export function addDeskCommands(fleet: Command): void {
  fleet
    .command('init')
    .description('write a folder to begin with, for git')
    .argument('<dir>')
    .option('--name <fleet>', 'name of the fleet', 'fleet')
    .option(...asJson)
    .action(async (directory: string, { name, json }: { name: string } & JsonOption) => {
      const { initFleet } = await import('../fleet/init.ts');
      const written = await initFleet(directory, name);
      if (json) print({ written });
      else console.log([...written.map((path) => `wrote ${path}`), `Next: git init, then edit.`].join('\n'));
    });

  fleet
    .command('lint')
    .description('check the folder, and the configuration it gives for every box')
    .argument('<dir>')
    .option(...asJson)
    .action(async (directory: string, { json }: JsonOption) => {
      const desk = await openDesk(directory);
      const problems = desk.lint();
      if (json) print({ valid: problems.length === 0, problems });
      else if (problems.length > 0) await tellProblems(problems);
      else
        console.log(
          `${directory} is valid: ${desk.devices().length} boxes, ${desk.folder.layers.length} layers.`,
        );
      process.exitCode = problems.length === 0 ? exitCodes.ok : exitCodes.usage;
    });

  withUnlock(fleet.command('render').description('write the complete document of each box, to be signed'))
    .argument('<dir>')
    .requiredOption('--out <out>', 'folder for DEVICE.json, the exact bytes to sign')
    .option('--device <id>', 'only this box')
    .option('--again', 'a new generation even where nothing has changed')
    .option(...asJson)
    .action(render);

  fleet
    .command('explain')
    .description('say which documents set a value of a box, and which of them counts')
    .argument('<dir>')
    .argument('<device>')
    .argument('<path>', 'JSON pointer, e.g. /destinations/cloud/url')
    .option(...asJson)
    .action(explain);

  fleet
    .command('diff')
    .description('show what the folder would change for a box, against what it was given last')
    .argument('<dir>')
    .argument('<device>')
    .option(...asJson)
    .action(diff);

  fleet
    .command('rollback')
    .description('give a box its earlier configuration back, as a new generation')
    .argument('<dir>')
    .argument('<device>')
    .option('--to <generation>', 'the generation to go back to (else the one before)', parseGeneration)
    .option(...asJson)
    .action(async (directory: string, device: string, { to, json }: { to?: number } & JsonOption) => {
      const { Rollouts } = await import('../fleet/rollouts.ts');
      const done = await new Rollouts(await openDesk(directory), new Date()).rollback(device, to);
      if (json) print({ device, ...done });
      else
        console.log(
          `${device}: generation ${done.generation} brings back ${done.restores}. Render, sign, publish.`,
        );
    });
}

export function print(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}

export async function openDesk(directory: string) {
  const { readFleetFolder } = await import('../fleet/fleet-folder.ts');
  const { Desk } = await import('../fleet/desk.ts');
  return new Desk(await readFleetFolder(directory));
}

async function tellProblems(problems: readonly FleetProblem[]): Promise<void> {
  const { formatProblems } = await import('../config/check.ts');
  console.error(problems.map((problem) => formatProblems(problem.file, [problem])).join('\n\n'));
}

interface RenderArguments extends JsonOption, UnlockOptions {
  readonly out: string;
  readonly device?: string;
  readonly again?: boolean;
}

async function render(directory: string, { out, json, ...options }: RenderArguments): Promise<void> {
  const { renderFleet, writePayloads } = await import('../fleet/render.ts');
  const openVault = vaultOpener(directory, options);
  const desk = await openDesk(directory);
  const outcome = await renderFleet(desk, { ...options, openVault, now: new Date() });
  if (!outcome.ok) {
    if (json) print({ ok: false, problems: outcome.problems });
    else await tellProblems(outcome.problems);
    process.exitCode = exitCodes.usage;
    return;
  }
  const { tidyRendered } = await import('../fleet/retired.ts');
  const written = await writePayloads(out, outcome.rendered);
  await tidyRendered(out, desk.folder);
  const boxes = outcome.rendered.map(({ device, change, generation }) => ({ device, change, generation }));
  if (json) {
    print({ ok: true, written, boxes });
    return;
  }
  const count = (wanted: string): number => boxes.filter(({ change }) => change === wanted).length;
  console.log(
    `${boxes.length} boxes: ${count('new')} with a new generation, ${count('kept')} unchanged, ` +
      `${count('waiting')} waiting for a rollout, ${count('withdrawn')} kept back after an abort or rollback.\n` +
      `${written} files written to ${out}.`,
  );
}

/** @throws GantryError USAGE_POINTER, FLEET_DEVICE_UNKNOWN */
async function explain(directory: string, id: string, pointer: string, { json }: JsonOption): Promise<void> {
  const { findDevice } = await import('../fleet/render.ts');
  const { parsePointer } = await import('../fleet/merge.ts');
  const path = parsePointer(pointer);
  if (path === null) {
    const next = 'Begin with "/" and divide keys by "/", e.g. /destinations/cloud/url.';
    throw usage('USAGE_POINTER', 'The path is not a JSON pointer (RFC 6901).', next);
  }
  const desk = await openDesk(directory);
  const found = desk.explain(findDevice(desk, id), path);
  if (json) {
    print({ device: id, path: pointer, setBy: found });
    return;
  }
  if (found.length === 0) console.log(`Nothing sets ${pointer} for ${id}: the default of the box counts.`);
  const table = await plainTable(['', 'layer', 'priority', 'at', 'value']);
  const last = found.findLast(({ omitted }) => !omitted);
  for (const one of found) {
    const { name, priority, file, line, value, omitted } = one;
    const shown = omitted ? 'left out: not known to this box' : JSON.stringify(value);
    const isPart = typeof value === 'object' && value !== null && !Array.isArray(value);
    const role = omitted ? '' : isPart ? 'merged' : one === last ? 'counts' : 'overruled';
    table.push([role, name, priority ?? '', `${file}:${line}`, shown]);
  }
  if (found.length > 0) console.log(table.toString());
}

/** @throws GantryError FLEET_DEVICE_UNKNOWN, FLEET_GENERATIONS_DAMAGED */
async function diff(directory: string, id: string, { json }: JsonOption): Promise<void> {
  const [{ findDevice }, { changedSecrets, differences }, { GenerationStore, sealsIn }] = await Promise.all([
    import('../fleet/render.ts'),
    import('../fleet/difference.ts'),
    import('../fleet/generations.ts'),
  ]);
  const desk = await openDesk(directory);
  const { config, device } = desk.effective(findDevice(desk, id));
  const [latest] = (await new GenerationStore(directory).read(id)).documents;
  const changes = differences(latest?.config ?? {}, config);
  const { seals } = desk.content({ config, device });
  const secrets = changedSecrets(latest === undefined ? {} : sealsIn(latest), seals);
  if (json) {
    print({ device: id, generation: latest?.generation ?? null, changes, secrets });
    return;
  }
  const against = latest === undefined ? 'nothing so far' : `generation ${latest.generation}`;
  const lines = changes.flatMap(({ path, before, after }) => [
    path,
    ...(before === undefined ? [] : [`  - ${JSON.stringify(before)}`]),
    ...(after === undefined ? [] : [`  + ${JSON.stringify(after)}`]),
  ]);
  const sealed = secrets.map((name) => `secret "${name}": sealed anew`);
  const count = changes.length + secrets.length;
  console.log([`${id} against ${against}: ${count} changes`, ...lines, ...sealed].join('\n'));
}

/** @throws GantryError USAGE_GENERATION */
function parseGeneration(text: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text);
  throw usage('USAGE_GENERATION', 'That is not a generation.', 'Give a number such as 3.');
}
