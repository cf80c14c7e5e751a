import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';

/** A git folder of central IT with the files given by their paths; `fleet.yaml` where none is given. */
export function fleetFolder(files: Readonly<Record<string, string>>): TemporaryDirectory {
  const folder = temporaryDirectory();
  writeFleetFiles(folder.path, { 'fleet.yaml': 'kind: Fleet\nname: acme\n', ...files });
  return folder;
}

export function writeFleetFiles(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

export const baseLayer = `kind: Layer
name: base
priority: 0
config:
  site: { timeZone: Europe/Berlin }
  destinations:
    cloud: { type: stow, url: https://archive.example/studies }
`;
