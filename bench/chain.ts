// Drives the bare BullMQ chain: the same hops as our runs, without Postgres.

import { type ChildProcess, fork } from 'node:child_process';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { Contestant, Settings } from './contestant.ts';

export async function openChain({ redisUrl, steps, concurrency }: Settings): Promise<Contestant> {
  const prefix = `bench-chain-${process.pid}-${Date.now()}`;
  const child = fork(new URL('./chain-worker.ts', import.meta.url), {
    env: { ...process.env, REDIS_URL: redisUrl, BENCH_PREFIX: prefix, WORKER_CONCURRENCY: String(concurrency) },
    execArgv: [...(process.env['BENCH_NODE_ARGS']?.split(' ') ?? []), '--import', 'tsx'],
  });
  endWithUs(child);
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue('{chain}', { connection: redis, prefix });
  const waiting = new Map<string, () => void>();
  let next = 0;
  await new Promise<void>((resolve) => {
    child.on('message', (message: { ready?: true; chain?: string }) => {
      if (message.ready) return resolve();
      waiting.get(message.chain!)?.();
      waiting.delete(message.chain!);
    });
  });
  return {
    name: 'bare BullMQ chain',
    pids: { worker: child.pid! },
    async start() {
      const chain = `c${next++}`;
      const finished = new Promise<void>((resolve) => waiting.set(chain, resolve));
      await queue.add('link', { chain, left: steps }, { jobId: `${chain}.${steps}`, removeOnComplete: true });
      return { finished };
    },
    allFinished: async () => {
      while (waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    async close() {
      await end(child);
      await queue.close();
      redis.disconnect();
    },
  };
}

/** A bench that fails leaves no process behind. */
export function endWithUs(child: ChildProcess): void {
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
  await ended;
}
