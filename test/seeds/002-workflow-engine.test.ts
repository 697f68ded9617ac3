// Seed 002, the workflow engine: each test quotes the sentence that it checks. The seed has no curl lines; its printed
// bodies are compared as they stand, but for ids.

import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Answer } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { type HookReceiver, startHookReceiver } from '../support/hook-receiver.ts';
import { startReceiver } from '../support/receiver.ts';
import { createSeedClient, mask, type SeedClient } from '../support/seed-client.ts';
import { ask, edges, tool } from '../support/steps.ts';

const TOOLS = [fileURLToPath(new URL('../support/tools.ts', import.meta.url))];
const RUNS = '/api/v1/workflows';
const TEMPLATES = '/api/v1/workflow_templates';
const VARIABLES = { source: { type: 'string' }, destination: { type: 'string' } };
const INPUT = { source: 'a', destination: 'b' };
const END = { id: 'end', type: 'end-flow' };

type Body = Answer['body'];

describe('seed 002, Workflow Engine', () => {
  let holdpoint: Holdpoint;
  let receiver: HookReceiver;
  let client: SeedClient;

  before(async () => {
    receiver = await startHookReceiver();
    const egressAllow = [`127.0.0.1:${receiver.port}`];
    const settings = { toolModules: TOOLS, secretKeys: [Buffer.alloc(32, 1)], egressAllow };
    holdpoint = await startHoldpoint({ withWorker: true, settings });
  });
  after(async () => {
    await holdpoint.stop();
    await receiver.close();
  });
  beforeEach(async () => {
    client = await createSeedClient(holdpoint.db, () => holdpoint.address);
  });

  const ok = async (answer: Promise<Answer>): Promise<Body> => {
    const { status, body } = await answer;
    expect(status, JSON.stringify(body)).to.be.within(200, 299);
    return body;
  };
  /** Creates and publishes a template of these steps, one after the other, and answers its id. */
  const publish = async (...steps: { id: string }[]): Promise<string> => {
    const chain = edges([...steps, END].map(({ id }) => id).join(' '));
    const definition = { name: 'Copy', initialStep: [...steps, END][0]!.id, steps: [...steps, END], edges: chain };
    const { id } = await ok(client.post(TEMPLATES, { ...definition, variables: VARIABLES }));
    await ok(client.post(`${TEMPLATES}/${id}/publish`, {}));
    return id;
  };
  const start = async (...steps: { id: string }[]): Promise<string> =>
    (await ok(client.post(RUNS, { template_id: await publish(...steps), input: INPUT }))).id;
  const read = (id: string) => ok(client.get(`${RUNS}/${id}`));
  const until = async (id: string, status: string): Promise<Body> => {
    let last: Body;
    return eventually(
      async () => {
        last = await read(id);
        return last.status === status && last;
      },
      { what: () => `${status}, not ${JSON.stringify(last)},` },
    );
  };
  const eventsOf = (run: Body): string[] => run.events.map(({ type }: { type: string }) => type);
  const decide = (id: string, run: Body, word: string, body = {}, role: 'editor' | 'admin' = 'editor') =>
    client.post(`${RUNS}/${id}/approvals/${run.approvals.at(-1).id}/${word}`, body, role);

  describe('Overview', () => {
    it('"durable, multi-step workflow execution with step tracking, human approval gates, … retry/backoff, … and an event audit log"', async () => {
      const flaky = tool('flaky', 'fail', { times: 1 }, { retry: { attempts: 2, delayMs: 50, jitter: 0 } });
      const id = await start(tool('give', 'give', { x: 1 }), ask('gate'), flaky);
      const waiting = await until(id, 'waiting_approval');
      await ok(decide(id, waiting, 'approve'));
      const run = await until(id, 'completed');
      expect(eventsOf(run)).to.deep.equal([
        'run_created',
        'step_started',
        'step_completed',
        'approval_requested',
        'approval_decided',
        'step_started',
        'attempt_failed',
        'step_retried',
        'step_completed',
        'step_completed',
        'run_completed',
      ]);
      expect(run.events.map(({ sequence }: { sequence: number }) => sequence)).to.deep.equal(
        run.events.map((_: unknown, index: number) => index + 1),
      );
      expect(mask(run.events[6])).to.deep.equal({
        id: '<id>.7',
        sequence: 7,
        type: 'attempt_failed',
        also: [],
        severity: 'warning',
        actor: 'system',
        reason: 'flaky',
        data: { step: 'flaky', visit: 1, code: 'flaky', message: 'not this time', attempt: 1, retry_in_ms: 50 },
        inserted_at: '<time>',
      });
    });

    it('"… callbacks/webhooks, …": a step calls out and goes on with the answer, and subscribers hear of the run', async () => {
      const secret = { value: 'the-secret-that-callbacks-are-signed-with' };
      await ok(client.put(`/workspaces/${client.workspace.slug}/secrets/CALLBACK_SECRET`, secret, 'admin'));
      const hook = { url: receiver.url('/hook'), events: ['run_completed'] };
      await ok(client.post('/api/v1/webhooks', hook, 'admin'));
      receiver.answer('/call', (response) => response.writeHead(200).end('{"seats": 2}'));
      const call = { id: 'call', type: 'callback', url: receiver.url('/call'), payload: { from: '${data.source}' } };
      const id = await start(call, tool('note', 'give', { seats: '${steps.call.output.seats}' }));
      const run = await until(id, 'completed');
      expect(receiver.received('/call').map(({ body }) => body)).to.deep.equal(['{"from":"a"}']);
      expect(run.steps[1].output).to.deep.equal({ seats: 2 });
      const [told] = await eventually(() => {
        const heard = receiver.received('/hook');
        return heard.length > 0 && heard;
      });
      expect(JSON.parse(told!.body)).to.deep.include({ type: 'run_completed' });
      expect(JSON.parse(told!.body).data).to.include({ run_id: id });
    });

    it('"Unlike Workflow Templates (which define reusable automation patterns), the Workflow Engine manages the actual execution lifecycle of workflow runs"', async () => {
      const template = await publish();
      const runs = [];
      for (let count = 0; count < 2; count += 1)
        runs.push(await ok(client.post(RUNS, { template_id: template, input: INPUT })));
      expect(runs[0].id).not.to.equal(runs[1].id);
      const { data, meta } = await ok(client.get(TEMPLATES));
      expect(meta.pagination).to.deep.equal({ total_count: 1, cursor: null, has_more: false });
      expect(data[0]).to.include({ id: template, name: 'Copy', status: 'published', version: 1, published_version: 1 });
    });
  });

  describe('Step Tracking', () => {
    it('"Track individual step status with retry and timeout support"', async () => {
      const slow = tool('slow', 'hang', { url: 'http://127.0.0.1:9' }, { timeoutMs: 50, retry: { attempts: 1 } });
      const flaky = tool(
        'flaky',
        'fail',
        { times: 1 },
        { name: 'Flaky', retry: { attempts: 2, delayMs: 20, jitter: 0 } },
      );
      const run = await until(await start(flaky, tool('slow', 'give'), { ...slow, id: 'late' }), 'failed');
      expect(mask(run.steps)).to.deep.include({
        id: 'flaky',
        name: 'Flaky',
        type: 'task',
        status: 'completed',
        visit: 1,
        attempts: 2,
        input: { args: { times: 1 } },
        output: {},
        error: null,
        started_at: '<time>',
        completed_at: '<time>',
      });
      expect(run.steps.map(({ id, status }: Body) => `${id} ${status}`)).to.deep.equal([
        'flaky completed',
        'slow completed',
        'late failed',
      ]);
      expect(run.steps.at(-1).error).to.be.an('object');
    });
  });

  describe('Human Approval', () => {
    it('"Insert approval gates that pause execution until approved"', async () => {
      const id = await start(ask('gate', { message: 'Copy ${data.source}?' }), tool('copy', 'give', { copied: true }));
      const waiting = await until(id, 'waiting_approval');
      expect(waiting.steps.map(({ id, status }: Body) => `${id} ${status}`)).to.deep.equal(['gate waiting_approval']);
      expect(mask(waiting.approvals)).to.deep.equal([
        {
          id: '<id>',
          step: 'gate',
          visit: 1,
          status: 'pending',
          message: 'Copy a?',
          assignees: [],
          decision: null,
          comment: null,
          decided_by: null,
          decided_at: null,
          due_at: null,
          inserted_at: '<time>',
        },
      ]);
      await ok(decide(id, waiting, 'approve'));
      expect((await until(id, 'completed')).steps[1]).to.include({ id: 'copy', status: 'completed' });
    });
  });

  describe('State Snapshots', () => {
    it('"Checkpoint workflow state for recovery and rollback"', async () => {
      const id = await start(tool('a', 'give', { a: 1 }), tool('b', 'give', { b: 1 }), ask('gate'));
      const waiting = await until(id, 'waiting_approval');
      const list = async () => (await ok(client.get(`${RUNS}/${id}/snapshots`))).data;
      const [second, first] = await list();
      expect(mask([second, first])).to.deep.equal([
        {
          id: '<id>.5',
          sequence: 5,
          step: 'b',
          visit: 1,
          created_at: '<time>',
          state: { data: { ...INPUT, a: 1, b: 1 }, open: [{ step: 'gate', visit: 1, status: 'pending' }] },
        },
        {
          id: '<id>.3',
          sequence: 3,
          step: 'a',
          visit: 1,
          created_at: '<time>',
          state: { data: { ...INPUT, a: 1 }, open: [{ step: 'b', visit: 1, status: 'queued' }] },
        },
      ]);
      const rollback = { snapshot_id: first.id, reason: 'Wrong b' };
      expect((await client.post(`${RUNS}/${id}/rollback`, rollback)).status, 'neither paused nor over').to.equal(409);
      await ok(decide(id, waiting, 'reject'));
      await ok(client.post(`${RUNS}/${id}/rollback`, rollback));
      const run = await until(id, 'waiting_approval');
      expect(run.steps.map(({ id, visit, status }: Body) => `${id} ${visit} ${status}`)).to.deep.equal([
        'a 1 completed',
        'b 1 undone',
        'gate 1 undone',
        'b 2 completed',
        'gate 2 waiting_approval',
      ]);
      const told = run.events.find(({ type }: Body) => type === 'run_rolled_back');
      expect(told).to.deep.include({ actor: 'user-editor', reason: 'Wrong b' });
      await ok(decide(id, run, 'approve'));
      await until(id, 'completed');
      expect((await client.post(`${RUNS}/${id}/rollback`, { snapshot_id: second.id })).status, 'undone').to.equal(404);
      expect((await client.get(`${RUNS}/${id}/snapshots`, 'admin')).status, 'another’s').to.equal(404);
      expect((await client.post(`${RUNS}/${id}/rollback`, rollback, 'admin')).status, 'another’s').to.equal(404);
    });

    it('are listed page by page', async () => {
      const id = await start(tool('a', 'give'), tool('b', 'give'), tool('c', 'give'));
      await until(id, 'completed');
      const page = async (query: string) => {
        const { data, meta } = await ok(client.get(`${RUNS}/${id}/snapshots${query}`));
        return { steps: data.map(({ step }: Body) => step), ...meta.pagination };
      };
      const first = await page('?limit=2');
      expect(first).to.deep.include({ steps: ['c', 'b'], total_count: 3, has_more: true });
      expect(await page(`?limit=2&cursor=${first.cursor}`)).to.deep.equal({
        steps: ['a'],
        total_count: 3,
        cursor: null,
        has_more: false,
      });
    });
  });

  describe('POST /api/v1/workflows', () => {
    it('"Start a new workflow run from a published template", with the printed bodies', async () => {
      const template = await publish();
      const { status, body } = await client.post(RUNS, { template_id: template, input: INPUT });
      expect(status).to.equal(201);
      const { id, status: word, template: shown, trigger_type, ...rest } = body;
      expect({ id: mask(id), status: word, template: shown, trigger_type }).to.deep.equal({
        id: '<id>',
        status: 'pending',
        template: { id: template, name: 'Copy', version: 1 },
        trigger_type: 'api',
      });
      expect(mask(rest)).to.deep.equal({
        owner: 'user-editor',
        input: INPUT,
        output: null,
        current_step: null,
        progress_percent: 0,
        retry_count: 0,
        error_reason: null,
        error_message: null,
        cancellation: null,
        inserted_at: '<time>',
        started_at: null,
        completed_at: null,
      });
    });

    it('refuses a template that is not published, or does not exist', async () => {
      const draft = await ok(client.post(TEMPLATES, { name: 'Draft', initialStep: 'end', steps: [END] }));
      const unpublished = await client.post(RUNS, { template_id: draft.id, input: {} });
      expect(unpublished.status).to.equal(404);
      expect(mask({ ...unpublished.body, meta: null })).to.deep.equal({
        data: null,
        meta: null,
        errors: [{ code: 'NOT_FOUND', message: 'the template is not published; publish it first', details: {} }],
      });
      expect((await client.post(RUNS, { template_id: 'no-such-thing', input: {} })).status).to.equal(404);
    });

    it('runs the version that is published, whatever was drafted since', async () => {
      const template = await publish();
      await ok(client.put(`${TEMPLATES}/${template}`, { description: 'A draft' }));
      const run = await ok(client.post(RUNS, { template_id: template, input: INPUT }));
      expect(run.template.version).to.equal(1);
    });

    it('"Inputs are supplied through the template’s declared variables"', async () => {
      const template = await publish();
      const { status, body } = await client.post(RUNS, { template_id: template, input: { source: 7 } });
      expect(status).to.equal(422);
      expect(body.errors[0]).to.deep.include({ code: 'VALIDATION_ERROR' });
      expect(body.errors[0].details).to.deep.equal({
        'input.source': ['must be text'],
        'input.destination': ['is required'],
      });
      const { id } = await ok(client.post(RUNS, { template_id: template, input: INPUT }));
      expect((await read(id)).input).to.deep.equal(INPUT);
    });
  });

  describe('GET /api/v1/workflows', () => {
    it('"List runs owned by the authenticated user. Query params: status, limit, offset"', async () => {
      const template = await publish(ask('gate'));
      const starts = async (role: 'editor' | 'admin') =>
        (await ok(client.post(RUNS, { template_id: template, input: INPUT }, role))).id;
      const mine = [await starts('editor'), await starts('editor'), await starts('editor')];
      const others = await starts('admin');
      await ok(client.post(`${RUNS}/${mine[0]}/cancel`, {}));
      const list = async (query: string, role: 'editor' | 'admin' = 'editor') => {
        const { data, meta } = await ok(client.get(`${RUNS}${query}`, role));
        return { ids: data.map(({ id }: Body) => id), ...meta.pagination };
      };
      const newest = [...mine].reverse();
      expect(await list('')).to.deep.equal({ ids: newest, total_count: 3, cursor: null, has_more: false });
      expect(await list('?status=waiting_approval')).to.deep.include({ ids: newest.slice(0, 2), total_count: 2 });
      expect(await list('?status=cancelled')).to.deep.include({ ids: [mine[0]] });
      expect(await list('?limit=1&offset=1')).to.deep.include({ ids: [mine[1]], total_count: 3, has_more: true });
      const first = await list('?limit=2');
      expect(await list(`?limit=2&cursor=${first.cursor}`)).to.deep.include({ ids: [mine[0]], has_more: false });
      expect(await list('?owner=all', 'admin')).to.deep.include({ ids: [others, ...newest], total_count: 4 });
      expect((await client.get(`${RUNS}?owner=all`)).status).to.equal(403);
      expect((await client.get(`${RUNS}?status=waiting`)).status).to.equal(422);
    });
  });

  describe('GET /api/v1/workflows/:id', () => {
    it('"Get a run with its steps and events (owner-scoped)"', async () => {
      const id = await start(ask('gate'));
      const run = await until(id, 'waiting_approval');
      expect(run).to.include({ current_step: 'gate', progress_percent: 0, retry_count: 0, error_reason: null });
      expect(run.steps).to.have.length(1);
      expect(eventsOf(run)).to.deep.equal(['run_created', 'approval_requested']);
      expect((await client.get(`${RUNS}/${id}`, 'admin')).status).to.equal(404);
      expect((await ok(client.get(`${RUNS}/${id}?owner=all`, 'admin'))).id).to.equal(id);
      expect(eventsOf(await ok(client.get(`${RUNS}/${id}?after=1`)))).to.deep.equal(['approval_requested']);
    });

    it('keeps every verb about a run from those who did not start it, as if there were none', async () => {
      const id = await start(ask('gate'));
      for (const verb of ['pause', 'resume', 'cancel', 'retry'])
        expect((await client.post(`${RUNS}/${id}/${verb}`, {}, 'admin')).status, verb).to.equal(404);
      expect((await client.get(`${RUNS}/${id}/explain`, 'admin')).status).to.equal(404);
      expect((await ok(client.post(`${RUNS}/${id}/pause?owner=all`, {}, 'admin'))).status).to.equal('paused');
    });
  });

  describe('POST /api/v1/workflows/:id/pause and /resume', () => {
    it('"Pause a running workflow. The Runner hibernates; the heartbeat stops", once the step in flight has finished', async () => {
      const receiver = await startReceiver();
      receiver.hold();
      const id = await start(tool('a', 'effect', { url: receiver.url }), tool('b', 'give', { b: 1 }));
      await eventually(() => receiver.calls.length === 1);
      expect((await ok(client.post(`${RUNS}/${id}/pause`, { reason: 'audit' }))).status).to.equal('paused');
      receiver.release();
      const lease = () =>
        holdpoint.db.pool
          .query('SELECT lease_until FROM step_runs WHERE run_id = $1 AND lease_until IS NOT NULL', [id])
          .then(({ rowCount }) => rowCount);
      await eventually(async () => (await lease()) === 0, { what: 'an end of the lease' });
      const paused = await read(id);
      expect(eventsOf(paused)).to.deep.equal(['run_created', 'step_started', 'run_paused', 'step_completed']);
      expect(paused).to.include({ status: 'paused', progress_percent: 33 });
      expect(paused.events[2]).to.deep.include({ actor: 'user-editor', data: { reason: 'audit' } });
      await ok(client.post(`${RUNS}/${id}/resume`, {}));
      await until(id, 'completed');
      await receiver.close();
    });

    it('"Resume a paused run", and nothing else', async () => {
      const id = await start(ask('gate'));
      expect((await client.post(`${RUNS}/${id}/resume`, {})).status).to.equal(409);
      await ok(client.post(`${RUNS}/${id}/pause`, {}));
      expect((await ok(client.post(`${RUNS}/${id}/pause`, {}))).status).to.equal('paused');
      const run = await ok(client.post(`${RUNS}/${id}/resume`, {}));
      expect(run.status).to.equal('waiting_approval');
      await ok(decide(id, run, 'approve'));
      expect((await client.post(`${RUNS}/${id}/pause`, {})).status).to.equal(409);
    });

    it('keeps an approval that is decided while the run is paused, and moves nothing until it is resumed', async () => {
      const id = await start(ask('gate'), tool('b', 'give', { b: 1 }));
      await ok(client.post(`${RUNS}/${id}/pause`, {}));
      const decided = await ok(decide(id, await read(id), 'approve', { comment: 'fine' }));
      expect(decided.status).to.equal('paused');
      expect(decided.approvals[0]).to.include({ status: 'approved', comment: 'fine', decided_by: 'user-editor' });
      expect(decided.steps).to.have.length(1);
      await ok(client.post(`${RUNS}/${id}/resume`, {}));
      expect((await until(id, 'completed')).output).to.deep.equal({ success: true });
    });
  });

  describe('POST /api/v1/workflows/:id/cancel', () => {
    it('"Cancel a workflow run. Body: {"reason": "..."} (optional)"', async () => {
      const id = await start(ask('gate'));
      const run = await ok(client.post(`${RUNS}/${id}/cancel`, { reason: 'Entered twice' }));
      expect(run.status).to.equal('cancelled');
      expect(mask(run.cancellation)).to.deep.equal({
        type: 'cancel',
        reason: 'Entered twice',
        by: 'user-editor',
        at: '<time>',
      });
      expect(run.approvals[0].status).to.equal('cancelled');
      expect((await ok(client.post(`${RUNS}/${id}/cancel`, undefined))).status).to.equal('cancelled');
      const done = await start();
      await until(done, 'completed');
      expect((await client.post(`${RUNS}/${done}/cancel`, {})).status).to.equal(409);
    });
  });

  describe('POST /api/v1/workflows/:id/retry', () => {
    it('"Retry a failed … run from the last failed step"', async () => {
      const receiver = await startReceiver();
      const id = await start(tool('a', 'give', { a: 1 }), tool('b', 'balk', { url: receiver.url, times: 1 }));
      const failed = await until(id, 'failed');
      expect(failed).to.include({ error_reason: 'balky', retry_count: 0 });
      await ok(client.post(`${RUNS}/${id}/retry`, {}));
      const run = await until(id, 'completed');
      expect(run).to.include({ id, retry_count: 1, error_reason: null });
      expect(eventsOf(run).filter((type) => type === 'run_retried')).to.have.length(1);
      expect(
        run.events.filter(({ type, data }: Body) => type === 'step_completed' && data.step === 'a'),
      ).to.have.length(1);
      expect((await client.post(`${RUNS}/${id}/retry`, {})).status).to.equal(409);
      await receiver.close();
    });

    it('"Retry a … cancelled run", and ask anew what was open', async () => {
      const id = await start(ask('gate'));
      const [before] = (await read(id)).approvals;
      await ok(client.post(`${RUNS}/${id}/cancel`, {}));
      const run = await ok(client.post(`${RUNS}/${id}/retry`, {}));
      expect(run).to.include({ status: 'waiting_approval', retry_count: 1 });
      expect(run.approvals.map(({ status }: Body) => status)).to.deep.equal(['cancelled', 'pending']);
      expect(run.approvals[1].id).not.to.equal(before.id);
    });
  });

  describe('POST /api/v1/workflows/:id/approvals/:approval_id/approve and /reject', () => {
    it('"Approve a pending human-approval step; the run resumes. Body: {"comment": "..."} (optional)"', async () => {
      const id = await start(ask('gate'));
      const waiting = await until(id, 'waiting_approval');
      const run = await ok(decide(id, waiting, 'approve', { comment: 'Go ahead' }));
      expect(run.status).to.equal('completed');
      expect(mask(run.approvals[0])).to.deep.include({
        status: 'approved',
        decision: 'approve',
        comment: 'Go ahead',
        decided_by: 'user-editor',
        decided_at: '<time>',
      });
      expect((await decide(id, waiting, 'approve')).status, 'the same again').to.equal(200);
      expect((await decide(id, waiting, 'reject')).status, 'the other').to.equal(409);
      expect((await decide(id, waiting, 'approve', {}, 'admin')).status, 'somebody else').to.equal(409);
    });

    it('"Reject a pending approval step; the run fails with reason approval_rejected"', async () => {
      const id = await start(ask('gate'));
      const waiting = await until(id, 'waiting_approval');
      const run = await ok(decide(id, waiting, 'reject', { comment: 'Not now' }));
      expect(run).to.include({ status: 'failed', error_reason: 'approval_rejected' });
      expect(run.approvals[0]).to.include({ status: 'rejected', comment: 'Not now' });
      expect((await decide(id, waiting, 'reject')).status, 'the same again').to.equal(200);
      expect((await decide(id, waiting, 'approve')).status, 'the other').to.equal(409);
    });

    it('lets any editor decide, or those alone whom the step names', async () => {
      const open = await start(ask('gate'));
      expect((await decide(open, await read(open), 'approve', {}, 'admin')).status).to.equal(200);
      const assigned = await start(ask('gate', { assignees: ['user-admin'] }));
      const waiting = await read(assigned);
      expect(waiting.approvals[0].assignees).to.deep.equal(['user-admin']);
      expect((await decide(assigned, waiting, 'approve')).status).to.equal(403);
      expect((await decide(assigned, waiting, 'approve', {}, 'admin')).status).to.equal(200);
      expect((await client.post(`${RUNS}/${assigned}/approvals/${open}/approve`, {})).status).to.equal(404);
    });
  });

  describe('Workflow Run States', () => {
    it('"pending Run created, waiting to start" and "running Currently executing steps"', async () => {
      const receiver = await startReceiver();
      receiver.hold();
      const id = await start(tool('a', 'effect', { url: receiver.url }));
      expect(eventsOf(await until(id, 'running'))).to.deep.equal(['run_created', 'step_started']);
      receiver.release();
      await until(id, 'completed');
      await receiver.close();
    });

    it('"waiting_approval Paused at an approval gate"', async () => {
      expect(await until(await start(ask('gate')), 'waiting_approval')).to.include({ completed_at: null });
    });

    it('"completed All steps finished successfully"', async () => {
      const run = await until(await start(tool('a', 'give', { a: 1 })), 'completed');
      expect(run).to.include({ progress_percent: 100, current_step: null, error_reason: null });
      expect(run.steps.every(({ status }: Body) => status === 'completed')).to.equal(true);
    });

    it('"failed Execution failed (retries exhausted)"', async () => {
      const run = await until(
        await start(tool('a', 'fail', { times: 9 }, { retry: { attempts: 2, delayMs: 10, jitter: 0 } })),
        'failed',
      );
      expect(run).to.include({ error_reason: 'flaky', error_message: 'not this time' });
      expect(run.steps[0]).to.include({ status: 'failed', attempts: 2 });
    });

    it('"cancelled Run cancelled by user or system"', async () => {
      const id = await start(ask('gate'));
      await ok(client.post(`${RUNS}/${id}/cancel`, {}));
      expect((await until(id, 'cancelled')).cancellation.by).to.equal('user-editor');
    });
  });

  describe('steps that are written out', () => {
    it('run one after the other, as a run of their own', async () => {
      const steps = [
        { name: 'Get ready', type: 'task', config: { tool: 'give', args: { ready: true } } },
        { name: 'Sign', type: 'approval', config: { message: 'Ready: ${steps.get_ready.output.ready}' } },
        { name: 'Sign', type: 'approval' },
      ];
      const run = await ok(client.post(RUNS, { name: 'Once', steps }));
      expect(run).to.deep.include({ status: 'pending', template: { ...run.template, name: 'Once', version: 1 } });
      for (const word of ['sign', 'sign_2']) {
        const waiting = await eventually(async () => {
          const body = await read(run.id);
          return body.current_step === word && body;
        });
        await ok(decide(run.id, waiting, 'approve'));
      }
      const done = await until(run.id, 'completed');
      expect(done.approvals[0].message).to.equal('Ready: true');
      expect(done.steps.map(({ id, name }: Body) => `${id} ${name}`)).to.deep.equal([
        'get_ready Get ready',
        'sign Sign',
        'sign_2 Sign',
        'end end',
      ]);
      expect((await ok(client.get(TEMPLATES))).data).to.deep.equal([]);
      expect(await ok(client.get('/api/workflows'))).to.deep.equal([]);
    });

    it('are refused with every problem at its place', async () => {
      const steps = [
        { name: 'One', type: 'task', config: { tool: 'no-such-tool' } },
        { name: 'Two', type: 'approval', config: { colour: 'red' } },
      ];
      const { status, body } = await client.post(RUNS, { name: 'Wrong', steps });
      expect(status).to.equal(422);
      expect(Object.keys(body.errors[0].details)).to.deep.equal(['steps.0.config.tool', 'steps.1.config.colour']);
      const own = await client.post(RUNS, { name: 'Wrong', steps: [{ ...steps[0], config: { id: 'mine' } }] });
      expect(own.body.errors[0].details).to.have.key('steps.0.config.id');
      const both = await client.post(RUNS, { name: 'Wrong', steps, template_id: 'x' });
      expect(both.body.errors[0].details).to.have.key('template_id');
      expect((await client.post(RUNS, {})).body.errors[0].details).to.have.key('template_id');
    });

    it('are started once, however often the same request comes', async () => {
      const send = () =>
        fetch(`${holdpoint.address}${RUNS}`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${client.workspace.keys.editor}`,
            'content-type': 'application/json',
            'idempotency-key': 'once',
          },
          body: JSON.stringify({ name: 'Once', steps: [{ name: 'Sign', type: 'approval' }] }),
        });
      const [first, again] = [await send(), await send()];
      expect(again.headers.get('idempotent-replayed')).to.equal('true');
      expect(await again.json()).to.deep.equal(await first.json());
      expect((await ok(client.get(RUNS))).data).to.have.length(1);
    });
  });

  describe('errors', () => {
    it('have the shape of this face, whatever went wrong', async () => {
      const { status, body } = await client.get(`${RUNS}/0193b6f1-0000-7000-8000-000000000000`);
      expect({ status, body: { ...body, meta: mask(body.meta) } }).to.deep.equal({
        status: 404,
        body: {
          data: null,
          meta: { version: 'v1', timestamp: '<time>', request_id: '<id>' },
          errors: [{ code: 'NOT_FOUND', message: 'no run here has this id', details: {} }],
        },
      });
      const unread = await fetch(`${holdpoint.address}${RUNS}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${client.workspace.keys.editor}`, 'content-type': 'application/json' },
        body: '{"template_id":',
      });
      expect(unread.status).to.equal(400);
      expect(((await unread.json()) as Body).errors[0].code).to.equal('BAD_REQUEST');
      const anonymous = await fetch(`${holdpoint.address}${RUNS}`);
      expect(anonymous.status).to.equal(401);
      expect(((await anonymous.json()) as Body).errors[0].code).to.equal('UNAUTHORIZED');
    });
  });
});
