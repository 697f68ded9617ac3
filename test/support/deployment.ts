// A Holdpoint as an operator runs it: web and worker processes, a Redis and a Postgres, all of them this test's own, to be
// killed, stopped and cut off.

import { randomBytes } from 'node:crypto';
import { type Database, openDatabase } from '../../src/store/db.ts';
import { startProcess, type TestProcess } from './processes.ts';
import { startProxy } from './proxy.ts';
import { startPostgres, startRedis } from './services.ts';

export interface Deployment {
  db: Database;
  /** Where the web process listens now. */
  address(): string;
  /** SIGKILL to web, worker, Redis and Postgres; Redis forgets everything. */
  killEverything(): Promise<void>;
  /** Starts what is not running. */
  startEverything(): Promise<void>;
  /** Ends web and worker with SIGTERM and starts new ones, as a deployment does. */
  redeploy(): Promise<void>;
  /** Between the processes and Redis and Postgres. */
  network: { cut(): Promise<void>; mend(): Promise<void> };
  stop(): Promise<void>;
}

export async function startDeployment(more: Record<string, string> = {}): Promise<Deployment> {
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  const proxies = [await startProxy(redis.url), await startProxy(postgres.url)] as const;
  const settings = {
    REDIS_URL: proxies[0].url,
    DATABASE_URL: proxies[1].url,
    HOLDPOINT_QUEUE_PREFIX: `t${randomBytes(6).toString('hex')}`,
    HOST: '127.0.0.1',
    PORT: '0',
    LEASE_MS: '1500',
    SWEEP_MS: '300',
    DRAIN_MS: '3000',
    DATABASE_POOL: '4',
    RATE_LIMIT: '0',
    RATE_LIMIT_STARTS: '0',
    ...more,
  };
  const db = openDatabase({ url: postgres.url, max: 2, name: 'holdpoint test', onError: () => {} });
  let processes: TestProcess[] = [];
  let address = '';

  async function startProcesses(): Promise<void> {
    const web = startProcess('web', settings);
    const worker = startProcess('worker', settings);
    processes = [web, worker];
    const [line] = await Promise.all([web.logged(/web started/), worker.logged(/worker started/)]);
    address = /http:\/\/[\d.:]+/.exec(line)![0];
  }
  const setNetwork = (mode: 'refuse' | 'pass') => Promise.all(proxies.map((proxy) => proxy.set(mode))).then(() => {});

  await startProcesses();
  return {
    db,
    address: () => address,
    async killEverything() {
      await Promise.all([...processes.map((process) => process.kill()), redis.kill(), postgres.kill()]);
    },
    async startEverything() {
      await Promise.all([redis.restart(), postgres.restart()]);
      await startProcesses();
    },
    async redeploy() {
      await Promise.all(processes.map((process) => process.stop()));
      await startProcesses();
    },
    network: { cut: () => setNetwork('refuse'), mend: () => setNetwork('pass') },
    async stop() {
      await Promise.all(processes.map((process) => process.stop()));
      await db.close();
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await Promise.all([redis.stop(), postgres.stop()]);
    },
  };
}
