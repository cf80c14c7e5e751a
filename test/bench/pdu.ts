import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuSeconds } from './process-stats.ts';
import { freePort, startServer } from './servers.ts';

/**
 * What one PDU costs that a stranger sends without having an association: a header that announces many bytes, and
 * as many of them as are taken. Gantry beside dcmjs-dimse alone, which believes the header.
 */

const usage = `npm run bench -- pdu [options]
  --mib 32      announced, and sent
  --times 5     against Gantry; dcmjs-dimse gets it once
  --peer        dcmjs-dimse too: with 32 MiB that takes half a minute of CPU`;

const associateRequest = 1;
const chunkBytes = 64 * 1024;
/** After the last byte was taken: what is still being worked off counts too. */
const quietMs = 1000;
const workMsMax = 120_000;

export async function benchPdu(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      mib: { type: 'string', default: '32' },
      times: { type: 'string', default: '5' },
      peer: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const bytes = Number(values.mib) * 2 ** 20;
  const gantry = await measureGantry(bytes, Number(values.times));
  const peer = values.peer ? await measureDcmjsDimse(bytes) : null;
  console.log(JSON.stringify({ bench: 'pdu', mib: Number(values.mib), gantry, 'dcmjs-dimse': peer }));
}

interface Measured {
  /** CPU of the receiver for one such PDU. */
  readonly cpuSeconds: number;
  /** Of the PDU, before the connection was closed. */
  readonly bytesTaken: number;
}

async function measureGantry(bytes: number, times: number): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-bench-'));
  const archiveUrl = `http://127.0.0.1:${await freePort()}/dicom-web/studies`;
  const server = await startServer('gantry', { directory, archiveUrl });
  try {
    await sleep(3000);
    const idle = await cpuDuring(server.pid, () => sleep(quietMs));
    let bytesTaken = 0;
    const spent = await cpuDuring(server.pid, async () => {
      for (let n = 0; n < times; n += 1) bytesTaken += await send(server.target.port, bytes);
      await sleep(quietMs);
    });
    return { cpuSeconds: Math.max(0, spent - idle) / times, bytesTaken: bytesTaken / times };
  } finally {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measureDcmjsDimse(bytes: number): Promise<Measured> {
  const child = startDcmjsDimse();
  const [line] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  const { pid = 0 } = child;
  // It does not say when it listens.
  await sleep(quietMs);
  try {
    let bytesTaken = 0;
    const spent = await cpuDuring(pid, async () => {
      bytesTaken = await send(Number(line), bytes);
      await untilIdle(pid);
    });
    return { cpuSeconds: spent, bytesTaken };
  } finally {
    child.kill('SIGKILL');
  }
}

function startDcmjsDimse(): ChildProcess {
  const program = `
    const { Server, Scp } = require('dcmjs-dimse');
    const { createServer } = require('node:net');
    const free = createServer().listen(0, '127.0.0.1', () => {
      const { port } = free.address();
      free.close(() => {
        new Server(Scp).listen(port);
        console.log(port);
      });
    });`;
  return spawn(process.execPath, ['-e', program], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** @returns how many bytes of the body the receiver let us send */
async function send(port: number, bytes: number): Promise<number> {
  const socket = connect({ host: '127.0.0.1', port });
  let open = true;
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').then(() => {
    open = false;
  });
  socket.resume();
  await once(socket, 'connect');
  const header = Buffer.from([associateRequest, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(bytes, 2);
  socket.write(header);
  const chunk = Buffer.alloc(chunkBytes);
  let sent = 0;
  for (; sent < bytes && !socket.closed; sent += chunkBytes) {
    if (!socket.write(chunk)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
  }
  await Promise.race([closed, sleep(quietMs)]);
  socket.destroy();
  return open ? sent : Math.min(sent, socket.bytesWritten);
}

async function cpuDuring(pid: number, work: () => Promise<unknown>): Promise<number> {
  const before = cpuSeconds(pid);
  await work();
  return cpuSeconds(pid) - before;
}

async function untilIdle(pid: number): Promise<void> {
  const until = performance.now() + workMsMax;
  while (performance.now() < until) {
    if ((await cpuDuring(pid, () => sleep(quietMs))) < 0.05) return;
  }
}
