import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** Which rooms each room of `src/` may import; the rooms' own files always. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  dicom: ['base'],
  crypto: ['base'],
  spool: ['base', 'dicom', 'crypto'],
  archive: ['base', 'dicom'],
  intake: ['base', 'dicom', 'spool', 'archive'],
  codec: ['base', 'dicom', 'spool'],
  forward: ['base', 'dicom', 'spool', 'archive'],
  proof: ['base', 'dicom', 'crypto', 'spool', 'archive'],
  config: ['base', 'dicom', 'crypto'],
  fleet: ['base', 'crypto', 'config'],
  health: ['base'],
  helper: ['base'],
  web: ['base', 'health', 'helper'],
  demo: ['base', 'dicom'],
  cli: ['gateway.ts', 'config', 'fleet', 'helper', 'demo', 'base'],
  'main.ts': ['cli', 'gateway.ts', 'config', 'fleet', 'helper', 'demo', 'base'],
  'gateway.ts': [
    'base',
    'dicom',
    'crypto',
    'spool',
    'archive',
    'intake',
    'codec',
    'forward',
    'proof',
    'config',
    'fleet',
    'health',
    'helper',
    'web',
  ],
};

/** Files whose types alone a room may import; the types of `config/schema.ts` are free to all. */
const typesOf: Readonly<Record<string, readonly string[]>> = {
  // The commands speak to the running gateway over its API, in the API's own words.
  cli: [
    'src/health/line-test.ts',
    'src/health/self-check.ts',
    'src/health/status.ts',
    'src/web/operator.ts',
    'src/web/config-tools.ts',
    'src/web/control-enrol.ts',
  ],
};

const topLevel = new Set(
  [
    'src test web-ui deploy firmware .ci .github',
    'README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE',
    'package.json package-lock.json .npmrc .gitignore .gitattributes .editorconfig',
    'tsconfig.json vitest.config.ts biome.json .oxlintrc.json',
  ].flatMap((names) => names.split(' ')),
);

const notOurs = new Set(['.git', 'node_modules', 'dist', 'coverage', '.vscode', '.idea']);

function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (notOurs.has(entry.name) || entry.name.endsWith('.log')) return [];
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}

const allFiles = filesUnder('.');
const sourceFiles = allFiles.filter((path) => path.startsWith('src/') && path.endsWith('.ts'));
const codeFiles = allFiles.filter((path) => /^(?:src|test|web-ui|deploy)\/.*\.tsx?$/.test(path));

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

const importPatterns = [
  // import … from '…', export … from '…', import '…'
  /(?:^|[;\n])\s*(?:import|export)\s+(?<type>type\s+)?(?:[\w*{}\s,$]+?\sfrom\s*)?['"](?<from>[^'"]+)['"]/g,
  // import('…'), new URL('….ts', import.meta.url)
  /\bimport\s*\(\s*['"](?<from>[^'"]+)['"]/g,
  /\bnew URL\(\s*['"](?<from>[^'"]+\.ts)['"]\s*,\s*import\.meta\.url/g,
];

function importsOf(text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return importPatterns.flatMap((pattern) =>
    [...code.matchAll(pattern)].map(({ groups }) => ({
      from: groups?.['from'] ?? '',
      typeOnly: groups?.['type'] !== undefined,
    })),
  );
}

/** The room a file of `src/` belongs to: its folder, or its own name at the top; `gateway-*.ts` is the assembler too. */
function roomOf(path: string): string {
  const [name = ''] = relative('src', path).split('/');
  return name.replace(/^gateway-[a-z-]+\.ts$/, 'gateway.ts');
}

/** What is wrong with the imports of one file. */
function importFaults(path: string, text: string): string[] {
  const allowed = mayImport[roomOf(path)];
  if (allowed === undefined) return [`${path}: "${roomOf(path)}" is not a room of src/`];
  return importsOf(text).flatMap(({ from, typeOnly }) => {
    if (!from.startsWith('.')) return [];
    const target = join(dirname(path), from);
    if (path === 'src/base/version.ts' && target === 'package.json') return [];
    if (!target.startsWith('src/')) return [`${path} imports ${target}, outside src/`];
    if (typeOnly && (target === 'src/config/schema.ts' || typesOf[roomOf(path)]?.includes(target))) return [];
    const room = roomOf(target);
    return room === roomOf(path) || allowed.includes(room) ? [] : [`${path} may not import ${target}`];
  });
}

function filesImporting(module: RegExp): string[] {
  return sourceFiles.filter((path) => importsOf(read(path)).some(({ from }) => module.test(from)));
}

describe('rooms', () => {
  test('import only what the table allows', () => {
    expect(sourceFiles.length).toBeGreaterThan(10);
    expect(sourceFiles.flatMap((path) => importFaults(path, read(path)))).toEqual([]);
  });

  test.each([
    ["import { a } from '../spool/ledger.ts';", 1],
    ["import {\n  a,\n  type B,\n} from '../spool/ledger.ts';", 1],
    ["import type { A } from '../spool/types.ts';", 1],
    ["export * from '../forward/pace.ts';", 1],
    ["export type { A } from '../forward/pace.ts';", 1],
    ["import '../web/server.ts';", 1],
    ["const a = await import('../cli/run.ts');", 1],
    ["new Worker(new URL('../codec/worker.ts', import.meta.url));", 1],
    ["import { parseConfig } from '../config/schema.ts';", 1],
    ["import type { Config } from '../config/schema.ts';", 0],
    ["import { fsync } from 'node:fs';\nimport { a } from '../base/clock.ts';\nimport b from './own.ts';", 0],
    ["// import { a } from '../spool/ledger.ts';", 0],
  ])('a file of health/ with %j has %i faults', (text, faults) => {
    expect(importFaults('src/health/example.ts', text)).toHaveLength(faults);
  });

  test('imports are written out, so that the table can be checked', () => {
    const computed = sourceFiles.filter((path) => /\bimport\s*\(\s*[^'"\s)]/.test(read(path)));
    // The page's bundle is built beside src/ and found at run time.
    expect(computed.filter((path) => path !== 'src/base/own-files.ts')).toEqual([]);
  });

  test('only the ledger knows SQLite', () => {
    expect(filesImporting(/^node:sqlite$/).filter((path) => path !== 'src/spool/ledger.ts')).toEqual([]);
  });

  test('stored files are reached only through the disk port', () => {
    // The program's own files are not stored ones.
    const allowed = new Set(['src/base/disk.ts', 'src/base/own-files.ts', 'src/config/write-schema.ts']);
    const rooms = new Set(['base', 'spool', 'crypto', 'config']);
    const others = filesImporting(/^(?:node:)?fs(?:\/promises)?$/).filter((path) => rooms.has(roomOf(path)));
    expect(others.filter((path) => !allowed.has(path))).toEqual([]);
  });
});

describe('files', () => {
  test('have kebab-case names', () => {
    const odd = codeFiles.filter(
      (path) => !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z]+)*\.tsx?$/.test(path.split('/').at(-1) ?? ''),
    );
    expect(odd).toEqual([]);
  });

  test('of src/ are at most 400 lines long', () => {
    const long = sourceFiles.filter((path) => read(path).trimEnd().split('\n').length > 400);
    expect(long).toEqual([]);
  });

  test('hold no enum, no silenced compiler, no note to do it later', () => {
    const marks = [
      /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/m,
      /@ts-(?:ignore|nocheck)/,
      /\b(?:TO-?DO|FIX-?ME)\b/,
    ];
    const self = relative(root, import.meta.filename);
    const faults = codeFiles
      .filter((path) => path !== self)
      .flatMap((path) =>
        marks.filter((mark) => mark.test(read(path))).map((mark) => `${path}: ${mark.source}`),
      );
    expect(faults).toEqual([]);
  });

  test('at the top are those the project is made of', () => {
    const names = readdirSync(root).filter((name) => !notOurs.has(name) && !name.endsWith('.log'));
    expect(names.filter((name) => !topLevel.has(name))).toEqual([]);
  });

  test('name no machine and no package host', () => {
    // Put together here, so that this file does not name them either.
    const words = [
      ['/wo', 'rk/'],
      ['registry.', 'npmjs'],
      ['registry.', 'yarnpkg'],
      ['deb.', 'debian.org'],
    ].map((parts) => parts.join(''));
    const faults = allFiles
      .filter((path) => statSync(join(root, path)).size < 4 * 1024 * 1024)
      .flatMap((path) => {
        const text = read(path);
        return words.filter((word) => text.includes(word)).map((word) => `${path}: ${word}`);
      });
    expect(faults).toEqual([]);
  });
});
