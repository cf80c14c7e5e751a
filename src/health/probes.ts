import { cpus, uptime } from 'node:os';
import processor from 'systeminformation/lib/cpu.js';
import mainMemory from 'systeminformation/lib/memory.js';
import type { Log } from '../base/log.ts';
import type { MachineReport } from './status.ts';

/** Processor time since boot, summed over all cores, in milliseconds. */
export interface CpuTimes {
  readonly busyMs: number;
  readonly totalMs: number;
}

/** Where the figures come from. */
export interface MachineSources {
  cpuTimes(): CpuTimes;
  memory(): Promise<{ readonly usedBytes: number; readonly totalBytes: number }>;
  /** Degrees Celsius, or null on a machine without a sensor. */
  temperature(): Promise<number | null>;
}

/**
 * systeminformation's own load figure runs a shell and waits for it, which would hold up acknowledgements; the
 * same figure is the difference of two looks at the kernel's counters. Its temperature does so too, for a few
 * milliseconds: hence asked rarely.
 */
export const machineSources: MachineSources = {
  cpuTimes() {
    const times = cpus().map((cpu) => cpu.times);
    const sum = (pick: (one: (typeof times)[number]) => number) =>
      times.reduce((total, one) => total + pick(one), 0);
    const busyMs = sum(({ user, nice, sys, irq }) => user + nice + sys + irq);
    return { busyMs, totalMs: busyMs + sum(({ idle }) => idle) };
  },
  async memory() {
    const { active, total } = await mainMemory.mem();
    return { usedBytes: active, totalBytes: total };
  },
  async temperature() {
    const { main } = await processor.cpuTemperature();
    return main;
  },
};

export interface ProbesOptions {
  readonly log: Log;
  readonly sources?: MachineSources;
  readonly sampleMs?: number;
  readonly temperatureMs?: number;
}

/** Looks at the machine now and then; readers get the last look and never wait. */
export class Probes {
  readonly #log: Log;
  readonly #sources: MachineSources;
  readonly #sampleMs: number;
  /** The temperature is asked at every so many samples. */
  readonly #temperatureEvery: number;
  #timer: NodeJS.Timeout | null = null;
  #sampling: Promise<void> | null = null;
  #samples = 0;
  #cpuBefore: CpuTimes | null = null;
  #temperatureCelsius: number | null = null;
  #report: MachineReport | null = null;
  #failing = false;

  constructor({ log, sources = machineSources, sampleMs = 10_000, temperatureMs = 300_000 }: ProbesOptions) {
    this.#log = log;
    this.#sources = sources;
    this.#sampleMs = sampleMs;
    this.#temperatureEvery = Math.max(1, Math.round(temperatureMs / sampleMs));
  }

  start(): void {
    void this.sample();
    this.#timer = setInterval(() => void this.sample(), this.#sampleMs);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** The last look, or null where there is none or the machine would not say. The process's memory is of now. */
  current(): MachineReport | null {
    if (this.#report === null) return null;
    return {
      ...this.#report,
      uptimeSeconds: Math.round(uptime()),
      processRssBytes: process.memoryUsage.rss(),
    };
  }

  /** One look; a call while one is under way joins it. Never rejects. */
  sample(): Promise<void> {
    this.#sampling ??= this.#look().finally(() => {
      this.#sampling = null;
    });
    return this.#sampling;
  }

  async #look(): Promise<void> {
    const temperatureDue = this.#samples % this.#temperatureEvery === 0;
    this.#samples += 1;
    try {
      const now = this.#sources.cpuTimes();
      const memory = await this.#sources.memory();
      if (temperatureDue) this.#temperatureCelsius = await this.#sources.temperature().catch(() => null);
      this.#report = {
        cpuLoadPercent: loadPercent(this.#cpuBefore, now),
        memoryUsedBytes: memory.usedBytes,
        memoryTotalBytes: memory.totalBytes,
        temperatureCelsius: this.#temperatureCelsius,
        uptimeSeconds: Math.round(uptime()),
        processRssBytes: process.memoryUsage.rss(),
      };
      this.#cpuBefore = now;
      this.#failing = false;
    } catch (error) {
      this.#report = null;
      if (!this.#failing) this.#log.warn({ error }, 'machine could not be probed');
      this.#failing = true;
    }
  }
}

/** Share of all cores that was busy between two looks; since boot where there was none before. */
function loadPercent(before: CpuTimes | null, now: CpuTimes): number {
  const busyMs = now.busyMs - (before?.busyMs ?? 0);
  const totalMs = now.totalMs - (before?.totalMs ?? 0);
  if (totalMs <= 0) return 0;
  return Math.min(100, Math.max(0, Math.round((1000 * busyMs) / totalMs) / 10));
}
