import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type Disk, nodeDisk } from '../../src/base/disk.ts';
import { silentLog } from '../../src/base/log.ts';
import { Applier, type ApplyPorts, type Candidate, type Looks } from '../../src/config/remote/apply.ts';
import { RemoteState } from '../../src/config/remote/state.ts';
import { parseConfig } from '../../src/config/schema.ts';
import { ConfigStore } from '../../src/config/store.ts';
import { Keyring } from '../../src/crypto/keyring.ts';
import { SealedFile } from '../../src/crypto/sealed-file.ts';
import { temporaryDirectory } from '../fixtures/data-directory.ts';
import { FaultyDisk } from './faulty-disk.ts';

/* A configuration is applied while the disk fails at each call, or the process ends just before it. */

const well: Looks = {};

function documentOf(name: string) {
  return { site: { name }, destinations: { nas: { type: 'folder', path: '/srv/nas' } } };
}

function candidate(name: string): Candidate {
  const document = documentOf(name);
  const parsed = parseConfig(document);
  if (!parsed.ok) throw new Error('not a configuration');
  return {
    document,
    config: parsed.config,
    source: 'central',
    changes: [],
    sealed: {},
    sha256: 'a'.repeat(64),
    generation: 7,
    confirmMs: 600_000,
    via: null,
    confirmedBy: null,
  };
}

const ports: ApplyPorts = {
  plan: () => [],
  dryRun: async () => {},
  look: async () => well,
  follow: async () => {},
  followAll: async () => [],
};

/** What a process finds that starts on a directory. */
async function open(path: string, disk: Disk = nodeDisk, lookMs?: number) {
  const keyring = await Keyring.open({
    disk,
    directory: join(path, 'keys'),
    clock: systemClock,
    log: silentLog,
    mayCreate: true,
  });
  const file = (name: string) =>
    new SealedFile(disk, keyring, { path: join(path, 'config', name), purpose: name, bytesMax: 1024 * 1024 });
  const store = await ConfigStore.open(file('config'));
  const damaged: unknown[] = [];
  const state = await RemoteState.open(file('remote'), (error) => damaged.push(error));
  const applier = new Applier({
    store,
    state,
    ports,
    clock: systemClock,
    log: silentLog,
    ...(lookMs === undefined ? {} : { lookMs }),
  });
  return { store, state, applier, damaged };
}

async function freshBox(path: string): Promise<void> {
  const { store } = await open(path);
  await store.importFile(JSON.stringify(documentOf('old')));
}

describe('a configuration is applied', () => {
  it('and the process ends just before any call to the disk: the old one is in use, or the confirmed one', async () => {
    using home = temporaryDirectory();
    const data = join(home.path, 'data');
    await freshBox(data);
    const disk = new FaultyDisk(nodeDisk);
    const box = await open(data, disk);
    const left: string[] = [];
    disk.watch((call) => {
      const copy = join(home.path, `before-${call}`);
      cpSync(data, copy, { recursive: true });
      left.push(copy);
    });
    await box.applier.begin(candidate('new'));
    await box.applier.settled();
    disk.failAt(null);
    expect(box.store.current().config.site.name).toBe('new');
    expect(left.length).toBeGreaterThan(10);
    const found: string[] = [];
    for (const copy of left) {
      const next = await open(copy);
      expect(next.damaged).toEqual([]);
      await next.applier.recover();
      const { name } = next.store.current().config.site;
      const [last] = next.state.value.history;
      // What the history says is what is in use.
      expect(name).toBe(last?.phase === 'Applied' ? 'new' : 'old');
      expect(next.state.value.pending).toBeNull();
      found.push(name);
    }
    // Once kept it stays kept.
    expect(found.toSorted().toReversed()).toEqual(found);
    expect(found).toContain('new');
    expect(found).toContain('old');
  });

  it('and is kept as soon as the way it came by is open again, without waiting for the next look', async () => {
    using home = temporaryDirectory();
    await freshBox(home.path);
    const { applier, store } = await open(home.path, nodeDisk, 3_600_000);
    await applier.begin({ ...candidate('new'), confirmedBy: 'mqtt' });
    applier.channelBack('usb');
    applier.channelBack('mqtt');
    await applier.settled();
    expect(store.current()).toMatchObject({ onTrial: false, config: { site: { name: 'new' } } });
  });

  it('and the disk fails at any call: a valid one is in use, and is the one of the next start', async () => {
    using home = temporaryDirectory();
    const template = join(home.path, 'template');
    await freshBox(template);
    for (let at = 1; ; at += 1) {
      const data = join(home.path, String(at));
      cpSync(template, data, { recursive: true });
      const disk = new FaultyDisk(nodeDisk);
      const box = await open(data, disk);
      disk.failAt({ at, code: 'EIO', lasting: false });
      await box.applier.begin(candidate('new')).catch(() => undefined);
      await box.applier.settled();
      const { failed } = disk;
      disk.failAt(null);
      expect(box.applier.state.phase).toBe('idle');
      const { name } = box.store.current().config.site;
      const next = await open(data);
      await next.applier.recover();
      expect(next.store.current().config.site.name, `call ${at}`).toBe(name);
      if (failed > 0) continue;
      expect(at).toBeGreaterThan(10);
      return;
    }
  });
});
