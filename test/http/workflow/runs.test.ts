import { expect } from 'chai';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';

const onboarding = {
  name: 'Customer Onboarding',
  initialStep: 'collect-inputs-1',
  steps: [
    {
      type: 'collect-inputs',
      id: 'collect-inputs-1',
      name: 'Collect Customer Info',
      output: { customerName: { type: 'string' }, email: { type: 'string' } },
    },
    { type: 'end-flow', id: 'end-1' },
  ],
  edges: [{ from: 'collect-inputs-1', to: 'end-1' }],
};

const approval = {
  name: 'Approval',
  initialStep: 'manager-approval',
  steps: [
    { type: 'request-user-action', id: 'manager-approval', message: 'Pay ${data.amount}?' },
    { type: 'call-tool', id: 'pay', tool: 'echo', args: { paid: '${data.amount}' } },
    { type: 'end-flow', id: 'end' },
  ],
  edges: [
    { from: 'manager-approval', to: 'pay' },
    { from: 'pay', to: 'end' },
  ],
};

describe('runs over HTTP', () => {
  let holdpoint: Holdpoint;
  before(async () => {
    holdpoint = await startHoldpoint({ withWorker: true });
    await holdpoint.define(onboarding);
    await holdpoint.define(approval);
  });
  after(() => holdpoint.stop());

  const start = (workflow: string, body: object = {}, headers: Record<string, string> = {}) =>
    holdpoint.ask(`/api/workflow/start/${workflow}`, { body, headers });
  const statusOf = async (runId: string) => (await holdpoint.ask(`/api/workflow/status/${runId}`)).body;
  const resume = (runId: string, body: object) => holdpoint.ask(`/api/workflow/resume/${runId}`, { body });

  it('completes at once when the start brings everything', async () => {
    const data = { customerName: 'John Doe', email: 'john@example.com' };
    const { status, body } = await start('customer-onboarding', { data });
    const { runId, ...rest } = body;
    expect({ status, body: rest }).to.deep.equal({
      status: 200,
      body: { status: 'completed', data, result: { success: true } },
    });
    expect(runId).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('stops for fields, and shows where, what for and since when', async () => {
    const { status, body } = await start('customer-onboarding');
    const { runId, pauseSignal, pauseSignals } = body;
    const { id, ...signal } = pauseSignal;
    expect({ status, word: body.status, signal }).to.deep.equal({
      status: 200,
      word: 'paused',
      signal: { type: 'collect_inputs', stepId: 'collect-inputs-1', fields: onboarding.steps[0]!.output },
    });
    expect(id).to.be.a('string');
    expect(pauseSignals).to.deep.equal([pauseSignal]);
    const { startTime, stepExecutionHistory, ...shown } = await statusOf(runId);
    expect(shown).to.deep.equal({
      runId,
      workflowId: 'customer-onboarding',
      version: '1.0.0',
      status: 'paused',
      currentStepId: 'collect-inputs-1',
      pauseSignal,
      pauseSignals,
      data: {},
      result: null,
      error: null,
      endTime: null,
    });
    expect(startTime).to.match(/Z$/);
    const [{ startTime: entered, inputData, ...entry }, ...more] = stepExecutionHistory;
    expect(more).to.deep.equal([]);
    expect(entered).to.match(/Z$/);
    expect(entry).to.deep.equal({
      stepId: 'collect-inputs-1',
      stepType: 'collect-inputs',
      stepName: 'Collect Customer Info',
      status: 'running',
      endTime: null,
      duration: null,
      outputData: null,
      error: null,
      visit: 1,
      attempts: 1,
    });
  });

  it('goes on with an answer, in the order the steps were entered', async () => {
    const runId = await holdpoint.start('customer-onboarding');
    const data = { customerName: 'Ada', email: 'ada@example.com' };
    const { status, body } = await resume(runId, { type: 'collect_inputs', data });
    expect({ status, body }).to.deep.equal({ status: 200, body: { runId, status: 'completed' } });
    const shown = await statusOf(runId);
    expect(shown.data).to.deep.equal(data);
    expect(shown.result).to.deep.equal({ success: true });
    expect(shown.currentStepId).to.equal('end-1');
    expect(shown.pauseSignal).to.equal(null);
    expect(shown.endTime >= shown.startTime).to.equal(true);
    const history = shown.stepExecutionHistory.map((entry: Record<string, unknown>) => [
      entry['stepId'],
      entry['stepName'],
      entry['status'],
      entry['outputData'],
    ]);
    expect(history[0]).to.deep.equal(['collect-inputs-1', 'Collect Customer Info', 'completed', data]);
    expect(history[1].slice(0, 3)).to.deep.equal(['end-1', 'end-1', 'completed']);
    expect(shown.stepExecutionHistory[0].duration).to.be.at.least(0);
  });

  it('takes an action by id, and runs the working step behind it', async () => {
    const { body } = await start('approval', { data: { amount: 5 } });
    const { id: _id, ...signal } = body.pauseSignal;
    expect(signal).to.deep.equal({
      type: 'request_user_action',
      stepId: 'manager-approval',
      message: 'Pay 5?',
      actions: [
        { id: 'approve', label: 'Approve' },
        { id: 'reject', label: 'Reject' },
      ],
    });
    const answer = { type: 'request_user_action', actionId: 'approve', actionValue: 'approved' };
    const resumed = await resume(body.runId, answer);
    expect({ status: resumed.status, word: resumed.body.status }).to.deep.equal({ status: 200, word: 'running' });
    let shown = await statusOf(body.runId);
    while (shown.status === 'running') shown = await statusOf(body.runId);
    expect(shown.status).to.equal('completed');
    expect(shown.data).to.deep.equal({ amount: 5, paid: 5 });
    expect(shown.stepExecutionHistory.map((entry: { stepId: string }) => entry.stepId)).to.deep.equal([
      'manager-approval',
      'pay',
      'end',
    ]);
  });

  it('fails as a rejected run does, and says so', async () => {
    const { body } = await start('approval', { data: { amount: 5 } });
    const resumed = await resume(body.runId, {
      type: 'request_user_action',
      actionId: 'manager-approval',
      actionValue: 'reject',
      comment: 'no',
    });
    expect(resumed.body).to.deep.equal({ runId: body.runId, status: 'failed' });
    const shown = await statusOf(body.runId);
    expect(shown.error).to.deep.include({ code: 'approval_rejected', stepId: 'manager-approval' });
  });

  it('refuses answers that do not fit, and keeps the pause', async () => {
    const runId = await holdpoint.start('customer-onboarding');
    const cases: [object, number][] = [
      [{ type: 'collect_inputs', data: { customerName: 'Ada' } }, 400],
      [{ type: 'collect_inputs', data: { customerName: 1, email: 'x' } }, 400],
      [{ type: 'collect_inputs' }, 400],
      [{ type: 'wish', data: {} }, 400],
      [{}, 400],
      [{ type: 'collect_inputs', data: {}, extra: 1 }, 400],
      [{ type: 'request_user_action', actionId: 'approve' }, 409],
    ];
    for (const [body, status] of cases) {
      const answer = await resume(runId, body);
      expect(answer.status, JSON.stringify(body)).to.equal(status);
      expect(answer.body.success).to.equal(false);
    }
    const wrongType = (await resume(runId, { type: 'wish' })).body.error.details;
    expect(wrongType).to.deep.equal([
      { pointer: '/type', message: 'must be one of: collect_inputs, request_user_action' },
    ]);
    expect((await statusOf(runId)).status).to.equal('paused');
    const data = { customerName: 'Ada', email: 'a' };
    expect((await resume(runId, { type: 'collect_inputs', data })).status).to.equal(200);
    expect((await resume(runId, { type: 'collect_inputs', data })).status).to.equal(409);
  });

  it('lets exactly one of many answers win', async () => {
    const runId = await holdpoint.start('customer-onboarding');
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, n) =>
        resume(runId, { type: 'collect_inputs', data: { customerName: `n${n}`, email: 'x' } }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, ...Array(15).fill(409)]);
  });

  it('answers 202 when the wait is over before the run is', async () => {
    const workflow = await holdpoint.define({
      name: 'Slow',
      initialStep: 'rest',
      steps: [
        { id: 'rest', type: 'wait', durationMs: 3_600_000 },
        { id: 'end', type: 'end-flow' },
      ],
      edges: [{ from: 'rest', to: 'end' }],
    });
    const startedAt = Date.now();
    const { status, body, headers } = await start(workflow, {}, { prefer: 'wait=1' });
    expect({ status, body }).to.deep.equal({ status: 202, body: { runId: body.runId, status: 'running' } });
    expect(headers.get('preference-applied')).to.equal('wait=1');
    expect(Date.now() - startedAt).to.be.within(900, 15_000);
    const shown = await statusOf(body.runId);
    expect({ word: shown.status, step: shown.currentStepId, signal: shown.pauseSignal }).to.deep.equal({
      word: 'running',
      step: 'rest',
      signal: null,
    });
  });

  it('cancels and terminates, says how, and again', async () => {
    for (const type of ['cancel', 'terminate']) {
      const runId = await holdpoint.start('customer-onboarding');
      const control = (body: object) => holdpoint.ask(`/api/workflow/management/${type}`, { body });
      expect((await control({ runId, workflowId: 'approval' })).status).to.equal(404);
      const { status, body } = await control({ runId, workflowId: 'customer-onboarding', reason: 'changed my mind' });
      const { at, ...cancellation } = body.data.cancellation;
      expect({ status, word: body.data.status, cancellation }).to.deep.equal({
        status: 200,
        word: 'cancelled',
        cancellation: { type, reason: 'changed my mind', by: 'user-editor' },
      });
      expect(at).to.match(/Z$/);
      expect((await control({ runId })).body).to.deep.equal(body);
      expect((await statusOf(runId)).cancellation).to.deep.equal(body.data.cancellation);
      expect((await resume(runId, { type: 'collect_inputs', data: {} })).status).to.equal(409);
    }
    const { body } = await start('customer-onboarding', { data: { customerName: 'A', email: 'b' } });
    expect((await holdpoint.ask('/api/workflow/management/cancel', { body: { runId: body.runId } })).status).to.equal(
      409,
    );
  });

  it('checks the start: unknown keys, versions and workflows', async () => {
    expect((await start('customer-onboarding', { data: {}, tenantId: 'x' })).status).to.equal(400);
    expect((await start('customer-onboarding', { data: [] })).status).to.equal(400);
    expect((await start('customer-onboarding', { version: 'banana' })).status).to.equal(400);
    expect((await start('customer-onboarding', { version: '1.0.9' })).body.error.code).to.equal('VERSION_NOT_FOUND');
    const missing = await start('nothing', { data: {} });
    expect({ status: missing.status, code: missing.body.error.code }).to.deep.equal({
      status: 404,
      code: 'WORKFLOW_NOT_FOUND',
    });
    expect(missing.body.error.message).to.match(/^Workflow not found/);
    expect(
      (await start('customer-onboarding', { version: '1', data: { customerName: 'A', email: 'b' } })).status,
    ).to.equal(200);
  });

  it('pages a long history: the newest first, the rest from the beginning', async () => {
    const workflow = await holdpoint.define({
      name: 'Loop',
      initialStep: 'left',
      steps: [
        { id: 'left', type: 'transform', output: { n: '${data.n + 1}' } },
        { id: 'right', type: 'transform', output: { n: '${data.n + 1}' } },
        { id: 'end', type: 'end-flow' },
      ],
      edges: [
        { from: 'left', to: 'right' },
        { from: 'right', to: 'left', condition: 'data.n < 1100' },
        { from: 'right', to: 'end', default: true },
      ],
    });
    const { body } = await start(workflow, { data: { n: 0 } }, { prefer: 'wait=25' });
    expect(body.status).to.equal('completed');
    const newest = await statusOf(body.runId);
    expect(newest.truncated).to.equal(true);
    expect(newest.stepExecutionHistory).to.have.length(1_000);
    expect(newest.stepExecutionHistory.at(-1).stepId).to.equal('end');
    const visits: string[] = [];
    let next = newest.next;
    for (let page = 0; next !== undefined && page < 5; page += 1) {
      const { body: shown } = await holdpoint.ask(`/api/workflow/status/${body.runId}?after=${next}`);
      expect(shown.currentStepId).to.equal('end');
      for (const entry of shown.stepExecutionHistory) visits.push(`${entry.stepId} ${entry.visit}`);
      next = shown.next;
    }
    const rounds = Array.from({ length: 550 }, (_, index) => [`left ${index + 1}`, `right ${index + 1}`]);
    expect(visits).to.deep.equal([...rounds.flat(), 'end 1']);
    expect((await holdpoint.ask(`/api/workflow/status/${body.runId}?after=x`)).status).to.equal(400);
  });
});
