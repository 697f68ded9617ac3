// `npm run bench`: the same linear workflow on Holdpoint and on its floors, round by round in one go, because wall times on
// shared machines drift and only ratios taken together mean anything (PERFORMANCE.md). Options: --steps, --runs, --rounds,
// --idle (runs one at a time), --concurrency, --json FILE.

import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createDatabase, getServices, startServices } from '../test/support/services.ts';
import { openChain } from './chain.ts';
import type { Contestant, Settings } from './contestant.ts';
import { openDurableWrite } from './durable-write.ts';
import { openHoldpoint } from './holdpoint.ts';
import { measure, readPeakMegabytes } from './measure.ts';
import { type Figure, formatTable, percentile, summarize } from './statistics.ts';

/** Starts under way at once, and the share of the machine that others may use before a round is repeated. */
const STARTS_IN_FLIGHT = 64;
const MAX_OTHERS = 0.08;
/** Before anything is measured: as many as the runtime needs to compile what is hot. A process in production runs for days. */
const WARM_UP_RUNS = 4_000;
/** Runs alone are taken in turns like loads, because the host drifts; the first of each find everything asleep. */
const IDLE_TURNS = 5;
const UNCOUNTED = 10;
const MAX_REPEATS = 2;

interface Load {
  stepsPerSecond: number;
  runsPerSecond: number;
  startsPerSecond: number;
  /** CPU seconds per 1,000 steps, by part and in all. */
  cpu: Record<string, number>;
  commitsPerStep: number;
  othersShare: number;
}

interface Result {
  name: string;
  loads: Load[];
  idleMs: number[];
  idleOneMs: number[];
  peakMb: Record<string, number | null>;
}

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '5' },
    runs: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '5' },
    idle: { type: 'string', default: '100' },
    concurrency: { type: 'string', default: '100' },
    json: { type: 'string' },
  },
});
const count = (name: 'steps' | 'runs' | 'rounds' | 'idle' | 'concurrency') => {
  const value = Number(options[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1`);
  return value;
};
const [steps, runs, rounds, idle, concurrency] = [
  count('steps'),
  count('runs'),
  count('rounds'),
  count('idle'),
  count('concurrency'),
];

const say = (line: string) => process.stderr.write(`${line}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));
const stopServices = await startServices({ onDisk: true });
try {
  await bench();
} finally {
  await stopServices();
}
process.exit(0);

async function bench(): Promise<void> {
  const { redisUrl } = getServices();
  const database = await createDatabase();
  const settings: Settings = { databaseUrl: database.url, redisUrl, steps, concurrency };
  const admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  const serverPids = { postgres: await postmasterPid(admin), redis: await redisPid(redisUrl) };
  const open: { open: (settings: Settings) => Promise<Contestant> }[] = [
    { open: openChain },
    { open: (given) => openHoldpoint(given, { pure: true }) },
    { open: (given) => openHoldpoint(given, { pure: false }) },
  ];
  const results: Result[] = [];
  const contestants: Contestant[] = [];
  // A database each: the sweep of one would take what waits in the queue of the other for lost, and queue it again.
  const databases = await Promise.all(open.map(() => createDatabase()));
  for (const [index, { open: start }] of open.entries()) {
    const contestant = await start({ ...settings, databaseUrl: databases[index]!.url });
    contestants.push(contestant);
    results.push({ name: contestant.name, loads: [], idleMs: [], idleOneMs: [], peakMb: {} });
  }
  for (const contestant of contestants) await load(contestant, serverPids, admin, WARM_UP_RUNS);
  const writes: number[] = [];
  const writeCpu: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      const measured = await undisturbed(() => load(contestant, serverPids, admin, runs));
      results[index]!.loads.push(measured);
      say(
        `round ${round}/${rounds}  ${contestant.name.padEnd(26)} ${Math.round(measured.stepsPerSecond)} steps/s, ${sum(measured.cpu).toFixed(3)} CPU-s per 1,000, others ${(measured.othersShare * 100).toFixed(0)} %`,
      );
    }
    const writer = await openDurableWrite(database.url);
    const cost = await measure(serverPids, () => writer.write(runs * steps));
    await writer.close();
    writes.push((runs * steps) / cost.wallSeconds);
    writeCpu.push((sum(cost.cpu) / (runs * steps)) * 1000);
  }
  for (let turn = 0; turn < IDLE_TURNS; turn++)
    for (const [index, contestant] of contestants.entries())
      results[index]!.idleMs.push(...(await idleLatencies(contestant, Math.ceil(idle / IDLE_TURNS))));
  for (const [index, contestant] of contestants.entries()) {
    results[index]!.idleMs.sort((a, b) => a - b);
    results[index]!.peakMb = Object.fromEntries(
      Object.entries(contestant.pids).map(([part, pid]) => [part, readPeakMegabytes(pid)]),
    );
    await contestant.close();
  }
  for (const [index, { open: start }] of open.entries()) {
    const single = await start({ ...settings, databaseUrl: databases[index]!.url, steps: 1 });
    results[index]!.idleOneMs = await idleLatencies(single, idle);
    await single.close();
  }
  const versions = await readVersions(admin);
  await admin.end();
  for (const each of [database, ...databases]) await each.drop();
  report(results, { writes, writeCpu, versions });
}

async function load(
  contestant: Contestant,
  serverPids: Record<string, number>,
  admin: pg.Client,
  total: number,
): Promise<Load> {
  const commitsBefore = await readCommits(admin);
  let startSeconds = 0;
  const cost = await measure({ ...serverPids, ...contestant.pids }, async () => {
    const startedAt = performance.now();
    let started = 0;
    const starter = async () => {
      while (started < total) {
        started += 1;
        await contestant.start();
      }
    };
    await Promise.all(Array.from({ length: STARTS_IN_FLIGHT }, starter));
    startSeconds = (performance.now() - startedAt) / 1000;
    await contestant.allFinished();
  });
  const done = total * steps;
  const commits = (await readCommits(admin)) - commitsBefore;
  const cpu = Object.fromEntries(Object.entries(cost.cpu).map(([part, seconds]) => [part, (seconds / done) * 1000]));
  return {
    stepsPerSecond: done / cost.wallSeconds,
    runsPerSecond: total / cost.wallSeconds,
    startsPerSecond: total / startSeconds,
    cpu,
    commitsPerStep: commits / done,
    othersShare: cost.othersShare,
  };
}

/** Takes the measurement again while others use too much of the machine; the calmest counts. */
async function undisturbed(take: () => Promise<Load>): Promise<Load> {
  let best = await take();
  for (let repeat = 0; repeat < MAX_REPEATS && best.othersShare > MAX_OTHERS; repeat++) {
    const again = await take();
    if (again.othersShare < best.othersShare) best = again;
  }
  return best;
}

async function idleLatencies(contestant: Contestant, runsAlone: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let run = -UNCOUNTED; run < runsAlone; run++) {
    const startedAt = performance.now();
    const { finished } = await contestant.start();
    await finished;
    if (run >= 0) latencies.push(performance.now() - startedAt);
  }
  return latencies.sort((a, b) => a - b);
}

/** Commits of all databases so far; statistics arrive late, so they are asked for until they stand still. */
async function readCommits(admin: pg.Client): Promise<number> {
  let before = -1;
  for (;;) {
    await admin.query('SELECT pg_stat_force_next_flush()');
    const { rows } = await admin.query<{ commits: string }>('SELECT sum(xact_commit) AS commits FROM pg_stat_database');
    const commits = Number(rows[0]!.commits);
    if (Math.abs(commits - before) < 20) return commits;
    before = commits;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

async function postmasterPid(admin: pg.Client): Promise<number> {
  const { rows } = await admin.query<{ file: string }>(
    `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1) AS file`,
  );
  return Number(rows[0]!.file);
}

async function redisPid(url: string): Promise<number> {
  const { Redis } = await import('ioredis');
  const redis = new Redis(url);
  const info = await redis.info('server');
  redis.disconnect();
  return Number(/process_id:(\d+)/.exec(info)![1]);
}

async function readVersions(admin: pg.Client): Promise<Record<string, string>> {
  const { rows } = await admin.query<{ postgres: string; fsync: string; sync: string }>(
    `SELECT current_setting('server_version') AS postgres, current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS sync`,
  );
  const { postgres, fsync, sync } = rows[0]!;
  return {
    node: process.version,
    postgres: `${postgres} (fsync ${fsync}, synchronous_commit ${sync})`,
    cpu: `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  };
}

function sum(parts: Record<string, number>): number {
  return Object.values(parts).reduce((total, part) => total + part, 0);
}

function report(
  results: Result[],
  extra: { writes: number[]; writeCpu: number[]; versions: Record<string, string> },
): void {
  const [floor] = results;
  const ratios = (pick: (load: Load) => number, result: Result) =>
    summarize(result.loads.map((one, round) => pick(one) / pick(floor!.loads[round]!)));
  const show = ({ median, min, max }: Figure, digits = 0) =>
    `${median.toFixed(digits)} [${min.toFixed(digits)}–${max.toFixed(digits)}]`;
  const rows = [
    [
      '',
      'steps/s',
      '÷ chain',
      'runs/s',
      'CPU-s per 1,000 steps',
      '÷ chain',
      'engine / Redis / Postgres / driver',
      'commits per step',
      'idle p50 / p99 ms',
      '÷ chain',
      '1-step p50',
      'peak MB',
    ],
  ];
  const json = results.map((result) => {
    const figures = {
      name: result.name,
      stepsPerSecond: summarize(result.loads.map((one) => one.stepsPerSecond)),
      stepsPerSecondRatio: ratios((one) => one.stepsPerSecond, result),
      runsPerSecond: summarize(result.loads.map((one) => one.runsPerSecond)),
      startsPerSecond: summarize(result.loads.map((one) => one.startsPerSecond)),
      cpuPer1000Steps: summarize(result.loads.map((one) => sum(one.cpu))),
      cpuRatio: ratios((one) => sum(one.cpu), result),
      cpuByPart: Object.fromEntries(
        ['worker', 'redis', 'postgres', 'driver'].map((part) => [
          part,
          summarize(result.loads.map((one) => one.cpu[part] ?? 0)),
        ]),
      ),
      commitsPerStep: summarize(result.loads.map((one) => one.commitsPerStep)),
      idleMs: { p50: percentile(result.idleMs, 0.5), p99: percentile(result.idleMs, 0.99) },
      idleRatio: percentile(result.idleMs, 0.5) / percentile(floor!.idleMs, 0.5),
      idleOneStepMs: percentile(result.idleOneMs, 0.5),
      peakMb: result.peakMb,
      othersShare: summarize(result.loads.map((one) => one.othersShare)),
    };
    const { cpuByPart } = figures;
    rows.push([
      result.name,
      show(figures.stepsPerSecond),
      figures.stepsPerSecondRatio.median.toFixed(2),
      figures.runsPerSecond.median.toFixed(0),
      show(figures.cpuPer1000Steps, 3),
      figures.cpuRatio.median.toFixed(2),
      ['worker', 'redis', 'postgres', 'driver'].map((part) => cpuByPart[part]!.median.toFixed(3)).join(' / '),
      figures.commitsPerStep.median.toFixed(2),
      `${figures.idleMs.p50.toFixed(1)} / ${figures.idleMs.p99.toFixed(1)}`,
      figures.idleRatio.toFixed(2),
      figures.idleOneStepMs.toFixed(1),
      Object.values(figures.peakMb)
        .map((mb) => mb?.toFixed(0) ?? '–')
        .join(' / '),
    ]);
    return figures;
  });
  const write = { stepsPerSecond: summarize(extra.writes), cpuPer1000Steps: summarize(extra.writeCpu) };
  console.log(
    `\n${steps} steps, ${runs} runs a round, ${rounds} rounds, concurrency ${concurrency}; median [min–max]\n`,
  );
  console.log(formatTable(rows));
  console.log(
    `\nbare durable write, 64 to a statement: ${show(write.stepsPerSecond)} steps/s, ${show(write.cpuPer1000Steps, 3)} CPU-s per 1,000`,
  );
  console.log(
    `others used up to ${(Math.max(...json.map((one) => one.othersShare.max)) * 100).toFixed(0)} % of the machine; ${Object.entries(
      extra.versions,
    )
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
  );
  if (options.json)
    writeFileSync(
      options.json,
      `${JSON.stringify({ steps, runs, rounds, concurrency, versions: extra.versions, engines: json, durableWrite: write }, null, 2)}\n`,
    );
}
