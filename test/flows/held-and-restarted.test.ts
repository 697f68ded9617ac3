// Issue 4's story, on real processes and through the v1 API alone: a run is held, everything is killed and comes back on an
// empty Redis, the run is released and completes; a rejected run is retried and approved; and both histories tell it.

import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Answer } from '../support/api.ts';
import { type Deployment, startDeployment } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { checkStored } from '../support/invariants.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createSeedClient, type SeedClient } from '../support/seed-client.ts';
import { ask, edges, tool } from '../support/steps.ts';

const TOOLS = fileURLToPath(new URL('../support/tools.ts', import.meta.url));
const RUNS = '/api/v1/workflows';

type Body = Answer['body'];

describe('a run that is held while everything is killed, Redis coming back empty', () => {
  let deployment: Deployment;
  let receiver: Receiver;
  let client: SeedClient;
  let template: string;

  before(async () => {
    receiver = await startReceiver();
    deployment = await startDeployment({ HOLDPOINT_TOOLS: TOOLS });
    client = await createSeedClient(deployment.db, deployment.address);
    const { id } = await ok(
      client.post('/api/v1/workflow_templates', {
        name: 'Transfer',
        initialStep: 'prepare',
        variables: { amount: { type: 'number' } },
        steps: [
          tool('prepare', 'give', { prepared: '${data.amount}' }),
          ask('gate'),
          tool('book', 'effect', { url: receiver.url }),
          { id: 'end', type: 'end-flow', result: { booked: '${data.prepared}' } },
        ],
        edges: edges('prepare gate book end'),
      }),
    );
    await ok(client.post(`/api/v1/workflow_templates/${id}/publish`, {}));
    template = id;
  });
  after(async () => {
    await deployment?.stop();
    await receiver.close();
  });

  const ok = async (answer: Promise<Answer>): Promise<Body> => {
    const { status, body } = await answer;
    expect(status, JSON.stringify(body)).to.be.within(200, 299);
    return body;
  };
  const read = (id: string) => ok(client.get(`${RUNS}/${id}`));
  const post = (id: string, path: string, body: object = {}) => ok(client.post(`${RUNS}/${id}/${path}`, body));
  const until = async (id: string, isThere: (run: Body) => boolean): Promise<Body> => {
    let last: Body;
    return eventually(
      async () => {
        last = await read(id);
        return isThere(last) && last;
      },
      { withinMs: 20_000, what: () => `what was awaited of ${JSON.stringify(last)}` },
    );
  };
  const typesOf = (run: Body): string[] => run.events.map(({ type }: { type: string }) => type);
  const startWaiting = async () => {
    const { id } = await ok(client.post(RUNS, { template_id: template, input: { amount: 120 } }));
    const run = await until(id, ({ status }) => status === 'waiting_approval');
    return { id, approval: run.approvals[0].id };
  };
  const countQueued = async () => {
    const { rows } = await deployment.db.pool.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM step_runs WHERE status = 'queued'`,
    );
    return rows[0]!.n;
  };
  const expectHistory = (run: Body, types: string[]) => {
    expect(typesOf(run)).to.deep.equal(types);
    expect(run.events.map(({ sequence }: Body) => sequence)).to.deep.equal(types.map((_, index) => index + 1));
  };

  it('"Resume … respawns the Runner process from DB state if it had stopped": it completes; one that was rejected is retried and approved; the histories tell it without a gap', async () => {
    const held = await startWaiting();
    const rejected = await startWaiting();
    receiver.hold();
    await post(held.id, `approvals/${held.approval}/approve`, { comment: 'Go' });
    await eventually(() => receiver.calls.length === 1, { what: 'a step in flight' });
    expect((await post(held.id, 'pause', { reason: 'Quarter end' })).status).to.equal('paused');
    const failed = await post(rejected.id, `approvals/${rejected.approval}/reject`);
    expect(failed).to.include({ status: 'failed', error_reason: 'approval_rejected' });

    await deployment.killEverything();
    receiver.release();
    await deployment.startEverything();

    const paused = await until(held.id, (run) => typesOf(run).includes('lease_expired'));
    expect(paused).to.include({ status: 'paused', progress_percent: 50 });
    expect(await countQueued(), 'step runs that promise a job').to.equal(0);
    expect(receiver.calls, 'and nothing ran meanwhile').to.have.length(1);
    const { reason, message } = await ok(client.get(`${RUNS}/${held.id}/explain`));
    expect(reason).to.equal('held');
    expect(message).to.include('user-editor').and.include('Quarter end');

    await post(held.id, 'resume');
    const completed = await until(held.id, ({ status }) => status === 'completed');
    expect(completed.output).to.deep.equal({ booked: 120 });
    expect(receiver.effects().size, 'keys of effects').to.equal(1);

    const retried = await post(rejected.id, 'retry');
    expect(retried).to.include({ status: 'waiting_approval', retry_count: 1 });
    const approval = retried.approvals.at(-1).id;
    expect(approval).not.to.equal(rejected.approval);
    await post(rejected.id, `approvals/${approval}/approve`);
    const approved = await until(rejected.id, ({ status }) => status === 'completed');

    expectHistory(completed, [
      'run_created',
      'step_started',
      'step_completed',
      'approval_requested',
      'approval_decided',
      'step_started',
      'run_paused',
      'lease_expired',
      'run_resumed',
      'step_started',
      'step_completed',
      'step_completed',
      'run_completed',
    ]);
    expectHistory(approved, [
      'run_created',
      'step_started',
      'step_completed',
      'approval_requested',
      'approval_decided',
      'run_failed',
      'run_retried',
      'approval_requested',
      'approval_decided',
      'step_started',
      'step_completed',
      'step_completed',
      'run_completed',
    ]);
    await checkStored(deployment, [held.id, rejected.id]);
  });
});
