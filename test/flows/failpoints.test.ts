// Processes that die at the worst moment (GUARANTEES §6). For each failpoint a process of its own is killed there, and then
// a worker without failpoints has to bring every run to its end. They run side by side: starting a process is what takes
// long.

import { expect } from 'chai';
import { answerRun } from '../../src/engine/answer-run.ts';
import { armFailpoints, parseFailpoints } from '../../src/failpoints.ts';
import { createKey } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { checkEffects, checkStored } from '../support/invariants.ts';
import { startProcess, type TestProcess } from '../support/processes.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

interface Stage {
  world: World;
  receiver: Receiver;
  /** The process that is to die. */
  victim: TestProcess;
  /** Calls the victim, when it is a web process; null when no answer came. */
  ask(path: string, body: object): Promise<number | null>;
}

interface Scenario {
  failpoint: string;
  by: 'worker' | 'web';
  says: string;
  /** Before the victim starts; answers the runs that must come to an end. */
  prepare?(world: World, receiver: Receiver): Promise<string[]>;
  /** Leads the victim to its death; answers more runs that must come to an end. */
  act(stage: Stage): Promise<string[]>;
  ends?: 'completed' | 'cancelled';
  /** The run's history, and how often each effect was executed. */
  history: string[];
  executions?: number[];
}

const THROUGH = ['step.completed end', 'run.completed'];
const effectThenNoop = (world: World, receiver: Receiver) =>
  world.define({
    steps: [tool('a', 'effect', { url: receiver.url, deaf: true }), tool('b', 'noop')],
    edges: edges('a b'),
  });
const startOne = async ({ world, receiver }: Pick<Stage, 'world' | 'receiver'>) => [
  await world.start(await effectThenNoop(world, receiver)),
];
const onlyRun = async (world: World) =>
  (await world.db.pool.query<{ id: string }>('SELECT id FROM runs')).rows.map(({ id }) => id);

const SCENARIOS: Scenario[] = [
  {
    failpoint: 'claim.after_commit',
    by: 'worker',
    says: 'a step claimed and never begun is claimed again after its lease (F-05)',
    act: startOne,
    history: [
      'run.created',
      'step.started a',
      'lease.expired a',
      'step.started a',
      'step.completed a',
      'step.started b',
      'step.completed b',
      ...THROUGH,
    ],
    executions: [1],
  },
  {
    failpoint: 'handler.before_complete',
    by: 'worker',
    says: 'an effect whose result was lost is executed again under the same key, and completes once (F-06)',
    act: startOne,
    history: [
      'run.created',
      'step.started a',
      'lease.expired a',
      'step.started a',
      'step.completed a',
      'step.started b',
      'step.completed b',
      ...THROUGH,
    ],
    executions: [2],
  },
  {
    failpoint: 'complete.after_commit',
    by: 'worker',
    says: 'a successor that was committed and not queued is found by the sweep (F-02)',
    act: startOne,
    history: ['run.created', 'step.started a', 'step.completed a', 'step.started b', 'step.completed b', ...THROUGH],
    executions: [1],
  },
  {
    failpoint: 'complete.after_enqueue',
    by: 'worker',
    says: 'a job that is handed out again after its step completed is dropped (F-21)',
    act: startOne,
    history: ['run.created', 'step.started a', 'step.completed a', 'step.started b', 'step.completed b', ...THROUGH],
    executions: [1],
  },
  {
    failpoint: 'fail-attempt.after_commit',
    by: 'worker',
    says: 'a failed attempt that was committed is tried again when it is due',
    async act({ world, receiver }) {
      const retry = { attempts: 2, delayMs: 300, jitter: 0 };
      return [
        await world.start(
          await world.define({ steps: [tool('a', 'fail', { times: 1, url: receiver.url }, { retry })] }),
        ),
      ];
    },
    history: ['run.created', 'step.started a', 'attempt.failed a', 'step.started a', 'step.completed a', ...THROUGH],
    executions: [2],
  },
  {
    failpoint: 'wake.after_commit',
    by: 'worker',
    says: 'what follows a timer goes on although the timer’s process died',
    async act({ world }) {
      return [
        await world.start(
          await world.define({
            steps: [{ id: 'rest', type: 'wait', durationMs: 100 }, tool('b', 'noop')],
            edges: edges('rest b'),
          }),
        ),
      ];
    },
    history: [
      'run.created',
      'step.paused rest',
      'step.completed rest',
      'step.started b',
      'step.completed b',
      ...THROUGH,
    ],
  },
  {
    failpoint: 'sweep.mid_batch',
    by: 'worker',
    says: 'jobs that a sweep took and did not add are added by the next (M1)',
    async prepare(world, receiver) {
      const runs = await startOne({ world, receiver });
      await eventually(async () => (await world.jobs()).length === 1);
      await world.queues.board[0]!.drain();
      await world.db.pool.query(`UPDATE step_runs SET offered_at = now() - interval '1 minute'`);
      return runs;
    },
    act: async () => [],
    history: ['run.created', 'step.started a', 'step.completed a', 'step.started b', 'step.completed b', ...THROUGH],
    executions: [1],
  },
  {
    failpoint: 'shutdown.after_stop_claiming',
    by: 'worker',
    says: 'a worker that dies while it is leaving loses its claims like any other (F-42)',
    async act(stage) {
      stage.receiver.hold();
      const runs = await startOne(stage);
      await eventually(() => stage.receiver.calls.length === 1);
      stage.victim.signal('SIGTERM');
      await stage.victim.ended();
      stage.receiver.release();
      return runs;
    },
    history: [
      'run.created',
      'step.started a',
      'lease.expired a',
      'step.started a',
      'step.completed a',
      'step.started b',
      'step.completed b',
      ...THROUGH,
    ],
    executions: [2],
  },
  {
    failpoint: 'start.before_commit',
    by: 'web',
    says: 'a start that was not committed leaves nothing',
    async act({ world, receiver, ask }) {
      expect(await ask(`/api/workflow/start-async/${await effectThenNoop(world, receiver)}`, { data: {} })).to.equal(
        null,
      );
      expect(await onlyRun(world)).to.deep.equal([]);
      return [];
    },
    history: [],
  },
  {
    failpoint: 'start.after_commit',
    by: 'web',
    says: 'a run that was committed and not queued runs, although nobody was told of it (F-01)',
    async act({ world, receiver, ask }) {
      expect(await ask(`/api/workflow/start-async/${await effectThenNoop(world, receiver)}`, { data: {} })).to.equal(
        null,
      );
      return onlyRun(world);
    },
    history: ['run.created', 'step.started a', 'step.completed a', 'step.started b', 'step.completed b', ...THROUGH],
    executions: [1],
  },
  {
    failpoint: 'answer.after_commit',
    by: 'web',
    says: 'an answer that was committed counts, although nobody was told of it (F-50)',
    async act({ world, ask: call }) {
      const runId = await world.start(await world.define({ steps: [ask(), tool('b', 'noop')], edges: edges('ask b') }));
      expect(await call(`/api/workflow/resume/${runId}`, APPROVE)).to.equal(null);
      const again = await answerRun(world.engine, { actor: world.actor, runId, answer: APPROVE }).catch(
        (error) => error.code,
      );
      expect(again).to.equal('run_not_paused');
      return [runId];
    },
    history: ['run.created', 'step.paused ask', 'step.completed ask', 'step.started b', 'step.completed b', ...THROUGH],
  },
  {
    failpoint: 'cancel.after_commit',
    by: 'web',
    says: 'a cancellation that was committed is carried out (F-52)',
    async act({ world, ask: call }) {
      const runId = await world.start(await world.define({ onCancel: 'tidy', steps: [ask(), tool('tidy', 'noop')] }));
      expect(await call('/api/workflow/management/cancel', { runId })).to.equal(null);
      return [runId];
    },
    ends: 'cancelled',
    history: [
      'run.created',
      'step.paused ask',
      'run.cancel_requested',
      'run.cleanup_started',
      'step.started tidy',
      'step.completed tidy',
      'run.cancelled',
    ],
  },
];

/** Processes that start at the same time. */
const AT_ONCE = 4;

describe('a process that is killed', () => {
  const results = new Map<string, Promise<void>>();
  before(() => {
    let free: Promise<unknown>[] = Array.from({ length: AT_ONCE }, () => Promise.resolve());
    for (const scenario of SCENARIOS) {
      const [slot, ...others] = free;
      const result = slot!.then(() => play(scenario));
      free = [...others, result.catch(() => {})];
      results.set(scenario.failpoint, result);
      result.catch(() => {});
    }
  });
  for (const { failpoint, says } of SCENARIOS) it(`at ${failpoint}: ${says}`, () => results.get(failpoint));
});

async function play({
  failpoint,
  by,
  prepare,
  act,
  ends = 'completed',
  history,
  executions = [],
}: Scenario): Promise<void> {
  const [world, receiver] = await Promise.all([createWorld(), startReceiver()]);
  let victim: TestProcess | null = null;
  try {
    const runs = (await prepare?.(world, receiver)) ?? [];
    victim = startProcess(by, { ...world.environment, LOG_LEVEL: 'info', PORT: '0', FP: `${failpoint}:kill` });
    const started = prepare ? '' : await victim.logged(new RegExp(`${by} started`));
    const key = await createKey(world.db, { workspaceId: world.actor.workspaceId, role: 'editor' });
    const call = (path: string, body: object) =>
      post(`${(JSON.parse(started) as { address: string }).address}${path}`, key, body);
    runs.push(...(await act({ world, receiver, victim, ask: call })));
    expect(await victim.ended()).to.equal('SIGKILL');
    await world.work();
    for (const runId of runs) {
      await world.until(runId, ends);
      expect(await world.history(runId)).to.deep.equal(history);
    }
    expect([...receiver.effects().values()]).to.deep.equal(executions);
    await checkStored(world, runs);
    await checkEffects(world, receiver);
  } finally {
    await victim?.kill();
    await Promise.all([world.close(), receiver.close()]);
  }
}

async function post(url: string, key: string, body: object): Promise<number | null> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) }).then(
    (response) => response.status,
    () => null,
  );
}

describe('a process in which something throws', () => {
  let world: World;
  let receiver: Receiver;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([createWorld(), startReceiver()]);
  });
  afterEach(async () => {
    armFailpoints([]);
    await checkStored(world);
    await checkEffects(world, receiver);
    await Promise.all([world.close(), receiver.close()]);
  });

  it('goes on with everything, whatever commit the error followed', async () => {
    const retry = { attempts: 2, delayMs: 50 };
    const workflow = await world.define({
      steps: [
        tool('a', 'effect', { url: receiver.url }),
        tool('b', 'fail', { times: 1 }, { retry }),
        { id: 'rest', type: 'wait', durationMs: 50 },
        tool('c', 'pure'),
      ],
      edges: edges('a b rest c'),
    });
    const names = [
      'claim.after_commit',
      'handler.before_complete',
      'complete.after_commit',
      'complete.after_enqueue',
      'fail-attempt.after_commit',
      'wake.after_commit',
      'expire-lease.after_commit',
      'sweep.mid_batch',
    ];
    const armed = armFailpoints(parseFailpoints(names.map((name) => `${name}:throw@2`).join(','))!);
    await world.work();
    const runs = await Promise.all(Array.from({ length: 20 }, () => world.start(workflow)));
    await world.untilAll('completed', 15_000);
    expect(armed.filter(({ reached }) => reached < 2).map(({ name }) => name)).to.deep.equal([]);
    await checkStored(world, runs);
  });

  it('has not started a run when it threw before the commit, and has when it threw after', async () => {
    const workflow = await world.define({ steps: [tool('a', 'noop')] });
    armFailpoints(parseFailpoints('start.before_commit:throw')!);
    expect(await world.start(workflow).catch((error) => error.message)).to.equal('failpoint start.before_commit');
    expect(await onlyRun(world)).to.deep.equal([]);
    armFailpoints(parseFailpoints('start.after_commit:throw')!);
    expect(await world.start(workflow).catch((error) => error.message)).to.equal('failpoint start.after_commit');
    await world.work();
    await world.until((await onlyRun(world))[0]!, 'completed');
  });
});
