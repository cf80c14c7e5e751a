import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

/*
 * Loaded into the gateway's process with `--import`, in front of the product as it is: watches its event loop, its
 * memory and its sockets from outside, and tells over the process's channel when it is asked. It changes nothing.
 */

export interface WatchReport {
  /** Longest time in which the event loop did not turn, on the clock and as processor time of its own thread. */
  readonly stallMsMax: number;
  readonly stallCpuMsMax: number;
  /** Most bytes seen in one socket's own buffers, both ways. */
  readonly socketBytesMax: number;
  readonly sockets: number;
  readonly socketsMax: number;
  readonly heapBytes: number;
  /** Buffers included. */
  readonly externalBytes: number;
  readonly rssBytes: number;
  readonly cpuSeconds: number;
}

/** `collect` counts after a full garbage collection; `restart` begins the maxima anew. */
export interface WatchQuestion {
  readonly collect: boolean;
  readonly restart: boolean;
}

const sampleMs = 25;
/** Turns shorter than this are counted as one. */
const turnSampleMs = 5;

function watch(): void {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const sockets = new Set<Socket>();
  let socketBytesMax = 0;
  let socketsMax = 0;
  let stallCpuMsMax = 0;
  let cpuBefore = process.threadCpuUsage();
  // On a machine with much else to do the clock says more about that than about the gateway.
  setInterval(() => {
    const { user, system } = process.threadCpuUsage(cpuBefore);
    stallCpuMsMax = Math.max(stallCpuMsMax, (user + system) / 1000);
    cpuBefore = process.threadCpuUsage();
  }, turnSampleMs).unref();
  subscribe('net.server.socket', (message) => {
    const { socket } = message as { socket: Socket };
    sockets.add(socket);
    socketsMax = Math.max(socketsMax, sockets.size);
    socket.once('close', () => sockets.delete(socket));
  });
  setInterval(() => {
    for (const { readableLength, writableLength } of sockets) {
      socketBytesMax = Math.max(socketBytesMax, readableLength + writableLength);
    }
  }, sampleMs).unref();
  process.on('message', ({ collect, restart }: WatchQuestion) => {
    const stallMsMax = delay.max / 1e6;
    if (collect) collectGarbage();
    const { heapUsed: heapBytes, external: externalBytes, rss: rssBytes } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const cpuSeconds = (user + system) / 1e6;
    const seen = { stallMsMax, stallCpuMsMax, socketBytesMax, sockets: sockets.size, socketsMax };
    const report: WatchReport = { ...seen, heapBytes, externalBytes, rssBytes, cpuSeconds };
    if (restart) [socketBytesMax, socketsMax] = [0, sockets.size];
    // A collection stops the loop as well, and is not the gateway's doing.
    if (restart || collect) {
      delay.reset();
      stallCpuMsMax = 0;
      cpuBefore = process.threadCpuUsage();
    }
    process.send?.(report);
  });
  // Being watched does not keep it alive.
  process.channel?.unref();
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

if (isMainThread) watch();
