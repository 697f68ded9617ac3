// A real Postgres under a folder, for a first run, development and tests: found running and adopted, or started, waited
// for, and stopped. Decides when and how often; what a cluster is, postgres-cluster.ts knows; who may use it, the lock.

import type { ChildProcess } from 'node:child_process';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { lockFolder } from './folder-lock.ts';
import { findFreePort, isFree } from './free-port.ts';
import { choosePlace } from './postgres-account.ts';
import { prepareBinaries } from './postgres-binaries.ts';
import type { Cluster, Settings } from './postgres-cluster.ts';
import * as clusters from './postgres-cluster.ts';

export interface EmbeddedPostgres {
  url: string;
  port: number;
  pid: number;
  /** Where it keeps its files, which for root need not be below the folder asked for. */
  folder: string;
  /** Whether it was running already, left by a process that was killed. */
  adopted: boolean;
  /** Ends its sessions, writes everything, waits until it is gone, gives the folder back. Safe to call again. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  dataDir: string;
  /** Hears one line at a time of what takes long, or is not as somebody would expect. */
  onNotice(text: string): void;
}

/** How long a server that is neither ready nor recovering is given: one that shuts down, or left its lock behind. */
const PATIENCE_MS = 10_000;

/** Starts or adopts the Postgres of `dataDir`. Throws an error that says what to do; never shares a folder. */
export async function startEmbeddedPostgres({ dataDir, onNotice }: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = choosePlace(dataDir, onNotice);
  const home = realpathSync(place.home);
  const unlock = await lockFolder(join(home, 'owner.lock'), dataDir);
  try {
    const binaries = prepareBinaries(home, place.account);
    const cluster: Cluster = { ...place, home, data: join(home, 'data'), log: join(home, 'postgres.log'), binaries };
    await clusters.initialiseCluster(cluster, await findFreePort(), () => onNotice('Making a new Postgres database…'));
    await clusters.checkVersion(cluster);
    const server = await bringUp(cluster, onNotice);
    await clusters.ensureDatabase(server.settings);
    return present(cluster, server, { unlock, onNotice });
  } catch (error) {
    await unlock();
    throw error;
  }
}

interface Server {
  settings: Settings;
  pid: number;
  child: ChildProcess | null;
}

/** Adopts the server that runs, or starts one; tries again while an old one is on its way out. */
async function bringUp(cluster: Cluster, onNotice: (text: string) => void): Promise<Server> {
  const settings = await clusters.loadSettings(cluster);
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await clusters.findServer(cluster);
    const server =
      found === null
        ? await launch(cluster, settings, onNotice)
        : await adopt(cluster, { ...settings, port: found.port }, onNotice);
    if (server !== null) {
      if (server.settings.port !== settings.port) await clusters.saveSettings(cluster, server.settings);
      return server;
    }
    if (Date.now() > deadline) throw new Error(explainStuck(cluster, found?.pid));
    await delay(200);
  }
}

/** The running server once it answers as ours; null when it does not and is not recovering either. */
async function adopt(cluster: Cluster, settings: Settings, onNotice: (text: string) => void): Promise<Server | null> {
  const tell = sayWhenSlow(onNotice);
  for (;;) {
    const answer = settings.port === 0 ? 'away' : await clusters.askServer(cluster, settings);
    const found = await clusters.findServer(cluster);
    if (found === null) return null;
    if (answer === 'ready') {
      onNotice(`Postgres was still running from an earlier start (process ${found.pid}); using it`);
      return { settings, pid: found.pid, child: null };
    }
    if (answer !== 'starting') return null;
    tell();
    await delay(100);
  }
}

/** A new server once it is ready, however long its crash recovery takes; null when it had to give up and may be tried again. */
async function launch(cluster: Cluster, wanted: Settings, onNotice: (text: string) => void): Promise<Server | null> {
  const settings = { ...wanted, port: (await isFree(wanted.port)) ? wanted.port : await findFreePort() };
  await clusters.disownLock(cluster);
  const logStart = sizeOf(cluster.log);
  const child = await clusters.spawnServer(cluster, settings.port);
  const tell = sayWhenSlow(onNotice);
  while (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    if ((await clusters.askServer(cluster, settings)) === 'ready') return { settings, pid: child.pid, child };
    tell();
    await delay(50);
  }
  const said = tail(cluster.log, logStart);
  if (/lock file .* already exists|pre-existing shared memory block|could not bind|Address already in use/i.test(said))
    return null;
  throw new Error(`Postgres did not start. The end of ${cluster.log}:\n${said}`);
}

function present(
  cluster: Cluster,
  { settings, pid, child }: Server,
  { unlock, onNotice }: { unlock: () => Promise<void>; onNotice: (text: string) => void },
): EmbeddedPostgres {
  let stopping: Promise<void> | null = null;
  const killAtExit = () => endNow(pid, cluster);
  process.once('exit', killAtExit);
  child?.once('exit', () => {
    if (stopping === null) onNotice(`Postgres stopped by itself; ${cluster.log} says why. Start Holdpoint again.`);
  });
  const stop = async () => {
    await clusters.stopServer(cluster);
    if ((await clusters.findServer(cluster)) !== null) await clusters.stopServer(cluster, 'immediate');
    process.removeListener('exit', killAtExit);
    await unlock();
  };
  return {
    url: clusters.formatUrl(settings),
    port: settings.port,
    pid,
    folder: cluster.home,
    adopted: child === null,
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** Asks for a fast shutdown without waiting: all that an exiting process can do. Windows would kill it instead. */
function endNow(pid: number, { data }: Cluster): void {
  if (process.platform === 'win32') return;
  try {
    if (readFileSync(join(data, 'postmaster.pid'), 'utf8').startsWith(`${pid}\n`)) process.kill(pid, 'SIGINT');
  } catch {
    // It is gone already.
  }
}

function explainStuck({ data, log }: Cluster, pid: number | undefined): string {
  const who = pid === undefined ? 'An earlier Postgres' : `Postgres process ${pid}`;
  const what = pid === undefined ? `Wait until its processes are gone (${log} names them)` : `Stop it (kill ${pid})`;
  return `${who} holds ${data} and does not answer as ours. ${what}, then start again.`;
}

function sayWhenSlow(onNotice: (text: string) => void): () => void {
  const began = Date.now();
  let next = 5_000;
  return () => {
    const waited = Date.now() - began;
    if (waited < next) return;
    next += 10_000;
    onNotice(`Waiting for Postgres, which recovers from a crash (${Math.round(waited / 1000)} s)…`);
  };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function tail(file: string, from: number): string {
  const text = readFileSync(file);
  return text
    .subarray(from <= text.length ? from : 0)
    .toString('utf8')
    .trim()
    .split('\n')
    .slice(-20)
    .join('\n');
}
