import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Document, isMap, parseAllDocuments } from 'yaml';
import type { Device } from './documents.ts';
import type { Sourced } from './fleet-file.ts';
import { isObject } from './fleet-file.ts';
import { replaceFile } from './files.ts';

/** A key of a Device document by its path, and its new value; undefined takes it away. */
export interface DeviceEdit {
  readonly path: readonly [string, ...string[]];
  readonly value: unknown;
}

export interface DeviceChange {
  readonly device: Sourced<Device>;
  readonly edits: readonly DeviceEdit[];
}

/**
 * Changes Device documents in the files they stand in, each file once; what else is in a file stays, comments too.
 * @throws whatever reading or writing a file throws
 */
export async function editDevices(directory: string, changes: readonly DeviceChange[]): Promise<void> {
  const byFile = Map.groupBy(changes, ({ device }) => device.source.file);
  for (const [file, inFile] of byFile) {
    const path = join(directory, file);
    const text = await readFile(path, 'utf8');
    await replaceFile(path, file.endsWith('.json') ? editedJson(text, inFile) : editedYaml(text, inFile));
  }
}

/** @throws SyntaxError where it is YAML under a name of JSON: then it is edited as that */
function editedJson(text: string, changes: readonly DeviceChange[]): string {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch {
    return editedYaml(text, changes);
  }
  const edits = changes.flatMap((change) => change.edits);
  const edited = edits.reduce<unknown>(
    (document, { path, value }) => withValue(document, path, value),
    whole,
  );
  return `${JSON.stringify(edited, null, 2)}\n`;
}

function editedYaml(text: string, changes: readonly DeviceChange[]): string {
  const documents = [...parseAllDocuments(text)];
  const byId = new Map(changes.map(({ device, edits }) => [device.value.id as string, edits]));
  for (const document of documents) {
    if (document.get('kind') !== 'Device') continue;
    for (const { path, value } of byId.get(String(document.get('id'))) ?? []) edit(document, path, value);
  }
  return documents
    .map((document) => document.toString({ lineWidth: 0 }))
    .map((one, index) => (index === 0 || one.startsWith('---') ? one : `---\n${one}`))
    .join('');
}

function edit(document: Document.Parsed, path: readonly string[], value: unknown): void {
  if (value === undefined) {
    document.deleteIn(path);
    return;
  }
  // From the first key on that is no map yet, what is below it is written as a whole.
  const depth = path.findIndex((_, index) => index > 0 && !isMap(document.getIn(path.slice(0, index), true)));
  const [at, rest] = depth < 0 ? [path, []] : [path.slice(0, depth), path.slice(depth)];
  const whole = rest.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  document.setIn(at, document.createNode(whole));
}

function withValue(target: unknown, [key = '', ...rest]: readonly string[], value: unknown): unknown {
  const { [key]: before, ...others } = isObject(target) ? target : {};
  const after = rest.length === 0 ? value : withValue(before, rest, value);
  if (after === undefined) return others;
  return isObject(target) && Object.hasOwn(target, key)
    ? { ...target, [key]: after }
    : { ...others, [key]: after };
}
