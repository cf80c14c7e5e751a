import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { version } from '../../src/base/version.ts';
import { type ProgramRun, patienceMs } from '../e2e/peers.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../fixtures/data-directory.ts';
import { startGateway } from '../fixtures/gateway-process.ts';
import { executable, program } from '../fixtures/program.ts';

/*
 * The executable as it comes onto a box: `GANTRY_BIN=dist/gantry-linux-x64 npx vitest run test/package`. What its
 * commands do is tested by the other suites, which take GANTRY_BIN too.
 */

if (executable === null) process.stderr.write('SKIPPED: the executable needs GANTRY_BIN\n');

describe.skipIf(executable === null)('the executable', { timeout: patienceMs }, () => {
  let directory: TemporaryDirectory;
  beforeAll(() => {
    directory = temporaryDirectory();
  });
  afterAll(() => directory[Symbol.dispose]());

  /** In an empty directory, without a Node on the path, without a home, with nothing in the environment. */
  async function alone(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<ProgramRun> {
    using empty = temporaryDirectory();
    const [command, ...before] = program();
    const child = spawn(command, [...before, ...args], {
      cwd: empty.path,
      env: { PATH: '/nonexistent', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    const code = await new Promise<number | null>((done, failed) =>
      child.on('error', failed).on('close', done),
    );
    expect(readdirSync(empty.path)).toEqual([]);
    return { code, ...output };
  }

  const at = (name: string): string => join(directory.path, name);

  test('makes, compresses, sends and proves images by itself, and writes nothing where it runs', async () => {
    const { code, stdout, stderr } = await alone(['demo', '--once']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('All 43 objects were received, delivered and verified');
  });

  test('tells its version, and what it is made of', async () => {
    expect(await alone(['version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    const bill = JSON.parse((await alone(['sbom'])).stdout) as {
      components: { name: string; version: string }[];
    };
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' });
    const node = bill.components.find(({ name }) => name.startsWith('node-linux-'));
    expect(node?.version).toBe(process.versions.node);
    const licences = (await alone(['licences'])).stdout;
    const unnamed = bill.components.filter((each) => each !== node && !licences.includes(`\n${each.name} `));
    expect(unnamed).toEqual([]);
    expect(licences).toContain(`\nNode.js ${process.versions.node} (MIT)`);
  });

  test('checks configurations and makes those of a fleet', async () => {
    writeFileSync(at('good.json'), '{ "destinations": { "a": { "type": "folder", "path": "/srv/a" } } }');
    writeFileSync(at('bad.json'), '{ "destinatoins": {} }');
    expect(await alone(['check-config', at('good.json')])).toMatchObject({ code: 0 });
    const bad = await alone(['check-config', at('bad.json')]);
    expect(bad).toMatchObject({ code: 2 });
    expect(bad.stdout + bad.stderr).toContain('destinations');
    expect(await alone(['fleet', 'init', at('fleet'), '--name', 'acme'])).toMatchObject({ code: 0 });
    expect(await alone(['fleet', 'lint', at('fleet')])).toMatchObject({ code: 0 });
    expect(await alone(['fleet', 'render', at('fleet'), '--out', at('out')])).toMatchObject({ code: 0 });
  });

  test('says in its own words what it cannot do', async () => {
    const { code, stderr } = await alone(['status', '--data', at('nothing')]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/^[A-Z_]+: .+\n.+/);
    expect(await alone(['no-such-command'])).toMatchObject({ code: 2 });
  });

  test('is told nothing about Node: neither by the environment nor by arguments', async () => {
    const loaded = '--import=data:text/javascript,process.exit(7)';
    expect(await alone(['version'], { NODE_OPTIONS: loaded })).toMatchObject({ code: 0, stderr: '' });
    expect(await alone(['version'], { NODE_OPTIONS: '--no-such-option' })).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(await alone([loaded, 'version'])).toMatchObject({ code: 2 });
  });

  test('shows the whole page, opens no debugger, and ends when it is told', async () => {
    const gateway = await startGateway(at('data'), {
      destinations: { a: { type: 'stow', url: 'http://127.0.0.1:9/studies' } },
    });
    const web = `http://127.0.0.1:${gateway.webPort}`;
    const page = await (await fetch(`${web}/`)).text();
    const names = [...page.matchAll(/(?:src|href)="(?<path>\/assets\/[^"]+)"/g)].map(
      ({ groups }) => groups?.['path'] ?? '',
    );
    expect(names.some((name) => name.endsWith('.js'))).toBe(true);
    expect(names.some((name) => name.endsWith('.css'))).toBe(true);
    for (const name of names) {
      const response = await fetch(`${web}${name}`);
      expect(response.status).toBe(200);
      const built = readFileSync(new URL(`../../web-ui/dist/client${name}`, import.meta.url));
      expect(Buffer.from(await response.arrayBuffer()).equals(built), name).toBe(true);
    }
    expect(readdirSync(`/proc/${gateway.process.pid}/task`).length).toBeGreaterThan(2);
    gateway.process.kill('SIGUSR1');
    await gateway.status();
    expect(await gateway.stop()).toBe(0);
    expect(gateway.lines.join('\n')).not.toContain('Debugger');
  });
});
