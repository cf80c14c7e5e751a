import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GantryError, systemErrorCode } from '../base/errors.ts';
import { fleetName } from '../config/remote/documents.ts';

function files(name: string): Readonly<Record<string, string>> {
  return {
    'fleet.yaml': `kind: Fleet
name: ${name}
# immediate: a change reaches every box with the next "gantry fleet render"; rollout: by a rollout only.
changes: immediate
# A box goes back by itself where it could not confirm a configuration within this time.
confirmWithinSeconds: 600
`,
    'layers/base.yaml': `kind: Layer
name: base
priority: 0
# Without "target" a layer is for every box.
config:
  site:
    timeZone: Europe/Berlin
  destinations:
    cloud:
      type: stow
      url: https://archive.example/dicom-web/studies
`,
    'layers/region-north.yaml': `kind: Layer
name: region-north
priority: 20
target:
  match: { region: north }
config:
  site:
    labels: { region: north }
`,
    'rollouts/README.md': `One file for each rollout, e.g. \`rollouts/2026-01.yaml\`:

    kind: Rollout
    id: 2026-01
    target: { match: { region: north } }
    waves: [1, 5 %, 25 %, 100 %]
    windows: [{ days: mon-fri, from: "20:00", to: "05:00" }]

\`gantry fleet rollout start\` writes its state beside it.
`,
    'devices/README.md': `One file for each box, written by \`gantry fleet enroll\`; labels and overrides are yours:

    kind: Device
    id: GANTRY-7F3K9Q
    labels: { region: north, ring: canary }
    overrides:
      modalities:
        ct1: { aeTitle: CT1, addresses: [10.4.1.20] }
`,
  };
}

/**
 * Writes a folder to begin with. Nothing that is there is written over.
 * @returns the files written, by their paths within the folder
 * @throws GantryError USAGE_FLEET_NAME, FLEET_FOLDER_IN_USE, FLEET_FOLDER_UNWRITABLE
 */
export async function initFleet(directory: string, name: string): Promise<readonly string[]> {
  if (!fleetName.safeParse(name).success) {
    throw new GantryError({
      code: 'USAGE_FLEET_NAME',
      kind: 'permanent',
      message: 'That is not the name of a fleet.',
      nextStep: 'Use 1 to 63 small letters, digits and "-", beginning with a letter or digit.',
    });
  }
  const written = Object.entries(files(name));
  try {
    for (const [path, text] of written) {
      await mkdir(join(directory, path, '..'), { recursive: true, mode: 0o755 });
      await writeFile(join(directory, path), text, { flag: 'wx', mode: 0o644 });
    }
  } catch (cause) {
    const why = systemErrorCode(cause) ?? 'error';
    const inUse = why === 'EEXIST';
    const code = inUse ? 'FLEET_FOLDER_IN_USE' : 'FLEET_FOLDER_UNWRITABLE';
    const message = inUse
      ? 'There is a fleet in that folder already; nothing in it was changed.'
      : `The folder cannot be written (${why}).`;
    const nextStep = inUse
      ? 'Give an empty folder, or edit that one.'
      : 'Check the path and its permissions.';
    throw new GantryError({ code, kind: 'permanent', message, nextStep }, { cause });
  }
  return written.map(([path]) => path);
}
