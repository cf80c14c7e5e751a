import { mkdtemp, open, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { GantryError, systemErrorCode } from '../../src/base/errors.ts';
import { allowModality, replaceModality } from '../../src/config/modalities.ts';
import { ConfigRejectedError, ConfigStore, type SealedFile } from '../../src/config/store.ts';

function text(port: number): string {
  const destinations = { cloud: { type: 'stow', url: 'https://archive.example/studies' } };
  return JSON.stringify({ web: { port }, destinations });
}

class MemoryFile implements SealedFile {
  content: Buffer | null = null;
  failure: Error | null = null;
  writes = 0;

  async read(): Promise<Buffer | null> {
    return this.content;
  }

  async write(plain: Buffer): Promise<void> {
    if (this.failure !== null) throw this.failure;
    this.content = plain;
    this.writes += 1;
  }
}

/** Durable as the real one, only not sealed. */
class PlainFile implements SealedFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async read(): Promise<Buffer | null> {
    try {
      return await readFile(this.#path);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw error;
    }
  }

  async write(plain: Buffer): Promise<void> {
    const file = await open(`${this.#path}.tmp`, 'w', 0o600);
    await file.writeFile(plain);
    await file.sync();
    await file.close();
    await rename(`${this.#path}.tmp`, this.#path);
  }
}

const clock: Clock = { now: () => 1_700_000_000_000, monotonic: () => 0 };

describe('importing a file', () => {
  test('happens on the first start, and again only when the file itself has changed', async () => {
    const file = new MemoryFile();
    const first = await ConfigStore.open(file, clock);
    expect(await first.importFile(text(8081))).toBe('imported');
    expect(first.current()).toMatchObject({ generation: 1, config: { web: { port: 8081 } } });

    const second = await ConfigStore.open(file, clock);
    expect(await second.importFile(text(8081))).toBe('unchanged');
    expect(file.writes).toBe(1);
    expect(await second.importFile(text(8082))).toBe('imported');
    expect(second.current()).toMatchObject({ generation: 2, config: { web: { port: 8082 } } });
  });

  test('an invalid changed file never replaces a good configuration, and says what is wrong', async () => {
    const file = new MemoryFile();
    const store = await ConfigStore.open(file, clock);
    await store.importFile(text(8081));
    const rejected = await store.importFile(text(-1)).catch((error: unknown) => error);
    expect(rejected).toBeInstanceOf(ConfigRejectedError);
    expect(rejected).toMatchObject({ code: 'CONFIG_INVALID', problems: [{ path: 'web.port', line: 1 }] });
    expect((rejected as ConfigRejectedError).message).toContain('stays as it is');
    expect(store.current()).toMatchObject({ generation: 1, config: { web: { port: 8081 } } });
    expect((await ConfigStore.open(file, clock)).current().config.web.port).toBe(8081);
  });

  test('an invalid first file leaves nothing', async () => {
    const file = new MemoryFile();
    const store = await ConfigStore.open(file, clock);
    await expect(store.importFile('{')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(file.content).toBeNull();
    expect(() => store.current()).toThrow(expect.objectContaining({ code: 'CONFIG_MISSING' }) as Error);
  });

  test('a write that fails leaves the configuration in use, and the next try imports', async () => {
    const file = new MemoryFile();
    const store = await ConfigStore.open(file, clock);
    await store.importFile(text(8081));
    file.failure = new Error('disk');
    await expect(store.importFile(text(8082))).rejects.toThrow('disk');
    expect(store.current()).toMatchObject({ generation: 1, config: { web: { port: 8081 } } });
    file.failure = null;
    expect(await store.importFile(text(8082))).toBe('imported');
    expect(store.current()).toMatchObject({ generation: 2, config: { web: { port: 8082 } } });
  });
});

describe('changing a modality', () => {
  const ct9 = { aeTitle: 'CT9', addresses: ['10.4.1.57'] };

  async function opened(): Promise<{ file: MemoryFile; store: ConfigStore }> {
    const file = new MemoryFile();
    const store = await ConfigStore.open(file, clock);
    await store.importFile(text(8081));
    return { file, store };
  }

  test('counts a generation, says where it came from, and is there after a restart', async () => {
    const { file, store } = await opened();
    expect(store.current()).toMatchObject({ generation: 1, origin: 'file' });
    let told = 0;
    store.onChange(() => (told += 1));
    await allowModality(store, 'ct9', ct9);
    expect(told).toBe(1);
    const again = await ConfigStore.open(file, clock);
    expect(again.current()).toMatchObject({
      generation: 2,
      origin: 'page',
      changedAt: clock.now(),
      config: { modalities: { ct9: { ...ct9, priority: 'routine' } } },
    });
  });

  test('the same file does not undo it; a changed file counts, and what it undid is told', async () => {
    const { file, store } = await opened();
    await allowModality(store, 'ct9', ct9);
    await allowModality(store, 'mr9', { aeTitle: 'MR9', addresses: [] });
    expect(await store.importFile(text(8081))).toBe('unchanged');
    expect(store.current().config.modalities).toHaveProperty('ct9');

    const modalities = { mr9: { aeTitle: 'MR9', addresses: [] } };
    await store.importFile(JSON.stringify({ ...(JSON.parse(text(8081)) as object), modalities }));
    const again = await ConfigStore.open(file, clock);
    expect(Object.keys(again.current().config.modalities)).toEqual(['mr9']);
    expect(again.current()).toMatchObject({ generation: 4, origin: 'file', undone: ['modalities.ct9'] });
  });

  test('a replaced modality keeps all that is not given', async () => {
    const { store } = await opened();
    await store.importFile(
      JSON.stringify({
        ...(JSON.parse(text(8081)) as object),
        modalities: { ct1: { aeTitle: 'CT1', priority: 'stat', host: '10.4.1.20', port: 104 } },
      }),
    );
    await replaceModality(store, 'ct1', { aeTitle: 'CT2', addresses: ['10.4.1.21'], host: '10.4.1.21' });
    expect(store.current().config.modalities['ct1']).toMatchObject({
      aeTitle: 'CT2',
      addresses: ['10.4.1.21'],
      priority: 'stat',
      host: '10.4.1.21',
      port: 104,
    });
  });

  test('what is not valid, taken or not there changes nothing', async () => {
    const { file, store } = await opened();
    await allowModality(store, 'ct9', ct9);
    const before = String(file.content);
    const told: string[] = [];
    store.onChange(() => told.push('changed'));
    const code = (work: Promise<unknown>) => work.catch((error: unknown) => (error as GantryError).code);
    expect(await code(allowModality(store, 'ct9', ct9))).toBe('MODALITY_EXISTS');
    expect(await code(replaceModality(store, 'ct8', ct9))).toBe('MODALITY_UNKNOWN');
    expect(await code(replaceModality(store, 'constructor', ct9))).toBe('MODALITY_UNKNOWN');
    const invalid = [
      allowModality(store, 'two', ct9),
      allowModality(store, '../x', { aeTitle: 'X', addresses: [] }),
      allowModality(store, '__proto__', { aeTitle: 'X', addresses: [] }),
      allowModality(store, 'ct8', { aeTitle: 'LONGER THAN SIXTEEN', addresses: [] }),
      allowModality(store, 'ct8', { aeTitle: 'CT8', addresses: ['10.4.1.300'] }),
    ];
    for (const each of invalid) expect(await code(each)).toBe('CONFIG_CHANGE_INVALID');
    file.failure = new Error('disk');
    expect(await code(replaceModality(store, 'ct9', { aeTitle: 'CT10', addresses: [] }))).toBeUndefined();
    expect([String(file.content), told]).toEqual([before, []]);
    expect(store.current()).toMatchObject({
      generation: 2,
      config: { modalities: { ct9: { aeTitle: 'CT9' } } },
    });
  });

  test('changes at the same moment are made one after the other; none is lost', async () => {
    const { store } = await opened();
    const names = Array.from({ length: 20 }, (_, index) => `ct${index}`);
    await Promise.all(
      names.map((name) => allowModality(store, name, { aeTitle: name.toUpperCase(), addresses: [] })),
    );
    expect(Object.keys(store.current().config.modalities)).toEqual(names);
    expect(store.current().generation).toBe(21);
  });
});

describe('opening', () => {
  test('a stored document that this version refuses is mended by importing, even the same file', async () => {
    const file = new MemoryFile();
    const store = await ConfigStore.open(file, clock);
    await store.importFile(text(8081));
    const stored = JSON.parse(String(file.content)) as { config: object };
    stored.config = { ...stored.config, dropped: true };
    file.content = Buffer.from(JSON.stringify(stored));

    const upgraded = await ConfigStore.open(file, clock);
    expect(() => upgraded.current()).toThrow(expect.objectContaining({ code: 'CONFIG_OUTDATED' }) as Error);
    expect(await upgraded.importFile(text(8081))).toBe('imported');
    expect(upgraded.current().generation).toBe(2);
  });

  test('a damaged file is an error with a next step, never an empty configuration', async () => {
    const file = new MemoryFile();
    file.content = Buffer.from('{"generation":');
    const error = await ConfigStore.open(file, clock).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(GantryError);
    expect(error).toMatchObject({
      code: 'CONFIG_DAMAGED',
      nextStep: expect.stringContaining('--config') as string,
    });
  });

  test('real files: what was imported is there after a restart', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-config-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, 'config.sealed');
    await (await ConfigStore.open(new PlainFile(path), clock)).importFile(text(8081));
    const again = await ConfigStore.open(new PlainFile(path), clock);
    expect(again.current()).toMatchObject({ generation: 1, config: { web: { port: 8081 } } });
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      generation: 1,
      importedFileSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      importedAt: clock.now(),
    });
  });
});
