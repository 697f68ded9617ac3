// What a round costs: CPU seconds by process tree, peak memory, and how much of the machine others used meanwhile. Read
// from /proc, so only Linux tells CPU and memory; elsewhere they are null and the table leaves them out.

import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const TICKS_PER_SECOND = 100;

/** CPU seconds used so far by a process, its living descendants, and those it has waited for. */
export function readCpuSeconds(pid: number): number | null {
  const all = readProcesses();
  if (!all.has(pid)) return null;
  let ticks = 0;
  const tree = [pid];
  for (let next = tree.pop(); next !== undefined; next = tree.pop()) {
    ticks += all.get(next)!.ticks;
    for (const [child, { parent }] of all) if (parent === next) tree.push(child);
  }
  return ticks / TICKS_PER_SECOND;
}

/** The most memory a process ever had resident, in MB. */
export function readPeakMegabytes(pid: number): number | null {
  try {
    const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) / 1024;
  } catch {
    return null;
  }
}

/** CPU seconds that all processes of the machine have used. */
export function readMachineCpuSeconds(): number | null {
  try {
    const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
      .split('\n')[0]!
      .split(/\s+/)
      .map(Number);
    return (user! + nice! + system! + irq! + softirq!) / TICKS_PER_SECOND;
  } catch {
    return null;
  }
}

export interface Cost {
  wallSeconds: number;
  /** CPU seconds by part. */
  cpu: Record<string, number>;
  /** Share of the machine (0–1) that processes outside `parts` used. */
  othersShare: number;
}

/** Runs `work` and measures what the processes in `parts` (name → pid) and this one, the driver, spent on it. */
export async function measure(parts: Record<string, number>, work: () => Promise<void>): Promise<Cost> {
  const read = () => [
    ...Object.entries(parts).map(([name, pid]) => [name, readCpuSeconds(pid) ?? 0] as const),
    ['driver', readOwnCpuSeconds()] as const,
  ];
  const machineBefore = readMachineCpuSeconds() ?? 0;
  const before = Object.fromEntries(read());
  const startedAt = performance.now();
  await work();
  const wallSeconds = (performance.now() - startedAt) / 1000;
  const cpu = Object.fromEntries(read().map(([name, seconds]) => [name, seconds - before[name]!]));
  const own = Object.values(cpu).reduce((sum, seconds) => sum + seconds, 0);
  const others = Math.max(0, (readMachineCpuSeconds() ?? 0) - machineBefore - own);
  return { wallSeconds, cpu, othersShare: others / (wallSeconds * availableParallelism()) };
}

/** This process alone: the servers that it started are parts of their own. */
function readOwnCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function readProcesses(): Map<number, { parent: number; ticks: number }> {
  const found = new Map<number, { parent: number; ticks: number }>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      found.set(Number(entry), { parent: fields[1]!, ticks: fields[11]! + fields[12]! + fields[13]! + fields[14]! });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}
