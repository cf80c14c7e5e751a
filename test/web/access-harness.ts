import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request as httpsRequest } from 'node:https';
import { onTestFinished } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import { Passwords } from '../../src/crypto/password.ts';
import { makeSelfSigned } from '../../src/crypto/self-signed.ts';
import { checkTechnicianCode } from '../../src/crypto/technician-code.ts';
import { Access } from '../../src/web/access.ts';
import { accessRoutes } from '../../src/web/access-routes.ts';
import { type AccessFile, AccessStore, type User } from '../../src/web/access-store.ts';
import type { ApiRoute, ApiStream } from '../../src/web/api-route.ts';
import { type AuditFiles, AuditLog } from '../../src/web/audit-log.ts';
import { auditRoutes } from '../../src/web/audit-routes.ts';
import { openApiRoute } from '../../src/web/open-api.ts';
import { SecureWebServer } from '../../src/web/secure-server.ts';
import { webLimits } from '../../src/web/server.ts';
import { Sessions } from '../../src/web/sessions.ts';
import { SignInLimiter } from '../../src/web/sign-in-limiter.ts';
import { createWebServer, SettableStatus } from './harness.ts';
import { workingReport } from './reports.ts';

export const box = 'GANTRY-7F3K9Q';
export const adminPassword = 'four quiet herons wade';

/** A clock the test moves; wall and monotonic time go together. */
export class TestClock {
  #ms = Date.UTC(2026, 10, 24, 9);

  now(): number {
    return this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  pass(ms: number): void {
    this.#ms += ms;
  }
}

/** An audit log's files in memory, where a test can change them. */
export class MemoryAuditFiles implements AuditFiles {
  readonly files = new Map<number, Buffer>();
  end: Buffer | null = null;

  list = async () => [...this.files.keys()].toSorted((a, b) => a - b);
  read = async (file: number) => this.files.get(file) ?? null;
  write = async (file: number, content: Buffer) => void this.files.set(file, content);
  remove = async (file: number) => void this.files.delete(file);
  readEnd = async () => this.end;
  writeEnd = async (content: Buffer) => {
    this.end = content;
  };
}

class MemoryFile implements AccessFile {
  content: Buffer | null = null;

  read = async () => this.content;
  write = async (content: Buffer) => {
    this.content = content;
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any;
}

export interface AskOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export interface AccessHarness {
  readonly port: number;
  readonly clock: TestClock;
  readonly access: Access;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly store: AccessStore;
  readonly storeFile: MemoryFile;
  readonly audit: AuditLog;
  readonly auditFiles: MemoryAuditFiles;
  readonly routes: readonly ApiRoute[];
  readonly logLines: string[];
  readonly technicianKey: ReturnType<typeof generateKeyPairSync>;
  ask(path: string, options?: AskOptions): Promise<Answer>;
  /** Origin of the page itself. */
  readonly origin: string;
  readonly openPort: number;
}

const technicianKey = generateKeyPairSync('ed25519');
const certificate = makeSelfSigned({
  names: ['127.0.0.1'],
  notBefore: Date.now() - 60_000,
  notAfter: Date.now() + 86_400_000,
  keys: 'ec',
});

/** The HTTPS listener with its access, in memory; hashing costs little here. */
export async function startAccess(
  options: {
    configured?: Record<string, User>;
    routes?: readonly ApiRoute[];
    streams?: readonly ApiStream[];
  } = {},
): Promise<AccessHarness> {
  const clock = new TestClock();
  const logLines: string[] = [];
  const log = createLog('debug', { write: (line) => void logLines.push(line) });
  const auditFiles = new MemoryAuditFiles();
  const audit = new AuditLog(auditFiles, clock, log);
  await audit.start();
  const storeFile = new MemoryFile();
  const store = new AccessStore(storeFile);
  await store.open(log);
  const sessions = new Sessions(clock);
  const passwords = new Passwords({ ln: 4, r: 8, p: 1 });
  const access = new Access({
    store,
    sessions,
    limiter: new SignInLimiter(clock),
    passwords,
    configured: options.configured ?? {},
    checkCode: (code) => checkTechnicianCode(code, { vendor: technicianKey.publicKey }, box, clock.now()),
    audit: (action) => audit.add(action),
    clock,
  });
  const own = [...accessRoutes(access, sessions), ...auditRoutes(audit, { box, site: 'North' })];
  const some = [...own, ...(options.routes ?? [])];
  const routes = [...some, openApiRoute(some, options.streams ?? [], '0.0.0')];
  const open = createWebServer({ status: new SettableStatus(workingReport), routes });
  const { port: openPort } = await open.start();
  const secure = new SecureWebServer({
    host: '127.0.0.1',
    port: 0,
    hostNames: ['gantry.clinic.example'],
    certFile: null,
    keyFile: null,
    ownCertificate: () => certificate,
    site: open.site,
    api: {
      routes,
      streams: options.streams ?? [],
      identify: (credentials, how) => access.identify(credentials, how),
      audit: (action) => audit.add(action),
      streamLimits: { ...webLimits, clientsMax: 2, heartbeatMs: 10 },
      clock,
      log,
    },
    limits: webLimits,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    log,
  });
  await secure.start();
  const { port } = secure.state();
  const agent = new Agent({ keepAlive: true, maxSockets: 32, rejectUnauthorized: false });
  onTestFinished(async () => {
    agent.destroy();
    await secure.stop();
    await open.stop();
  });
  const ask = async (path: string, { method = 'GET', body, headers = {} }: AskOptions = {}) => {
    const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
    const request = httpsRequest({
      host: '127.0.0.1',
      port,
      path,
      method,
      agent,
      headers: {
        ...(text === null
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
        ...headers,
      },
    });
    request.end(text ?? undefined);
    const [response] = await once(request, 'response');
    let received = '';
    for await (const chunk of response.setEncoding('utf8')) received += chunk;
    const isJson = String(response.headers['content-type'] ?? '').includes('json');
    const json = isJson && received !== '' ? JSON.parse(received) : null;
    return { status: response.statusCode, headers: response.headers, text: received, json };
  };
  return {
    port,
    clock,
    access,
    sessions,
    passwords,
    store,
    storeFile,
    audit,
    auditFiles,
    routes,
    logLines,
    technicianKey,
    ask,
    origin: `https://127.0.0.1:${port}`,
    openPort,
  };
}

/** A browser that has signed in: its cookie, and what it sends with every change. */
export interface Browser {
  readonly cookie: string;
  readonly csrf: string;
  /** Headers of a request that changes something. */
  readonly changing: Record<string, string>;
  readonly reading: Record<string, string>;
}

export function browserOf(house: AccessHarness, answer: Answer): Browser {
  const [setCookie = ''] = [answer.headers['set-cookie'] ?? []].flat();
  const cookie = setCookie.split(';')[0] ?? '';
  const csrf = String(answer.json?.csrfToken ?? '');
  return {
    cookie,
    csrf,
    changing: { cookie, origin: house.origin, 'x-csrf-token': csrf },
    reading: { cookie },
  };
}

/** Pairs the box: the first admin signs in. */
export async function pairedAdmin(house: AccessHarness): Promise<Browser> {
  const code = await house.access.pairing.start();
  const answer = await house.ask('/api/v1/pairing', {
    method: 'POST',
    body: { code, name: 'ada', password: adminPassword },
    headers: { origin: house.origin },
  });
  if (answer.status !== 200) throw new Error(answer.text);
  return browserOf(house, answer);
}

export function signIn(
  house: AccessHarness,
  name: string,
  password: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return house.ask('/api/v1/session', {
    method: 'POST',
    body: { name, password },
    headers: { origin: house.origin, ...headers },
  });
}
