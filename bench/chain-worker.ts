// The floor: a BullMQ worker whose jobs each add the next one of their chain, and nothing else. Not durable.

import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

interface Link {
  chain: string;
  left: number;
}

const url = process.env['REDIS_URL']!;
const prefix = process.env['BENCH_PREFIX']!;
const queue = new Queue<Link>('{chain}', { connection: new Redis(url, { maxRetriesPerRequest: null }), prefix });
let finished = 0;

async function follow({ data }: { data: Link }): Promise<void> {
  if (data.left > 1) {
    const left = data.left - 1;
    await queue.add('link', { chain: data.chain, left }, { jobId: `${data.chain}.${left}`, removeOnComplete: true });
    return;
  }
  finished += 1;
  process.send!({ chain: data.chain, finished });
}

const worker = new Worker<Link>('{chain}', follow, {
  connection: new Redis(url, { maxRetriesPerRequest: null }),
  prefix,
  concurrency: Number(process.env['WORKER_CONCURRENCY']),
});
await worker.waitUntilReady();
process.on('SIGTERM', () => process.exit(0));
/** The bench is gone, and could not say so. */
process.on('disconnect', () => process.exit(0));
process.send!({ ready: true });
