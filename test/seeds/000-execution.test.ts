// Seed 000, "Execution": each test quotes the sentence that it checks. Its section "Durability" is 000-durability.test.ts,
// since that takes processes to kill. Over 400 lines because it follows one document from top to bottom.

import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createSeedClient, mask, type SeedClient } from '../support/seed-client.ts';
import { edges, tool } from '../support/steps.ts';

const TOOLS = [
  fileURLToPath(new URL('../support/tools.ts', import.meta.url)),
  fileURLToPath(new URL('../support/seed-tools.ts', import.meta.url)),
];

const END = { id: 'end-1', type: 'end-flow' };
const APPROVAL_FIELDS = { approvalReason: { type: 'string' }, approvedAmount: { type: 'number' } };
const REPORT = { id: 'approval-inputs', type: 'collect-inputs', output: APPROVAL_FIELDS };
const DECISION = { id: 'manager-approval', type: 'request-user-action' };

describe('seed 000, Execution', () => {
  let holdpoint: Holdpoint;
  let receiver: Receiver;
  let client: SeedClient;

  before(async () => {
    [holdpoint, receiver] = await Promise.all([
      startHoldpoint({ withWorker: true, settings: { toolModules: TOOLS, sweepMs: 300 } }),
      startReceiver(),
    ]);
  });
  beforeEach(async () => {
    client = await createSeedClient(holdpoint.db, () => holdpoint.address);
  });
  afterEach(() => receiver.release());
  after(() => Promise.all([holdpoint.stop(), receiver.close()]));

  /** Creates a workflow of these steps, one after the other, and an end. */
  const defineChain = (...steps: { id: string }[]) =>
    client.define({
      name: 'Chain',
      initialStep: steps[0]!.id,
      steps: [...steps, END],
      edges: edges([...steps, END].map(({ id }) => id).join(' ')),
    });
  const stepsOf = (status: { stepExecutionHistory: { stepId: string }[] }) =>
    status.stepExecutionHistory.map(({ stepId }) => stepId);
  const sendEmail = () => tool('send-email-1', 'effect', { url: receiver.url });

  describe('Execution Flow', () => {
    it('"Start - Workflow begins at the initialStep"', async () => {
      const workflow = await client.define({
        name: 'Backwards',
        initialStep: 'first',
        steps: [END, tool('second', 'noop'), tool('first', 'noop')],
        edges: edges('first second end-1'),
      });
      const status = await client.until(await client.start(workflow), 'completed');
      expect(stepsOf(status)[0]).to.equal('first');
    });

    it('"Execute Steps - Each step runs in sequence following edges"', async () => {
      const workflow = await defineChain(tool('a', 'noop'), tool('b', 'give', { b: 1 }), tool('c', 'noop'));
      const status = await client.until(await client.start(workflow), 'completed');
      expect(stepsOf(status)).to.deep.equal(['a', 'b', 'c', 'end-1']);
      for (const [index, step] of status.stepExecutionHistory.slice(1).entries()) {
        expect(step.startTime >= status.stepExecutionHistory[index].endTime).to.equal(true);
      }
    });

    it('"Pause (optional) - Workflow pauses for human input or approval"', async () => {
      const workflow = await defineChain(REPORT, DECISION);
      const runId = await client.start(workflow);
      expect((await client.until(runId, 'paused')).pauseSignal.type).to.equal('collect_inputs');
      await client.resume(runId, { type: 'collect_inputs', data: { approvalReason: 'x', approvedAmount: 1 } });
      expect((await client.until(runId, 'paused')).pauseSignal.type).to.equal('request_user_action');
      const without = await defineChain(tool('a', 'noop'));
      expect((await client.until(await client.start(without), 'completed')).pauseSignal).to.equal(null);
    });

    it('"Resume - Continue after receiving input"', async () => {
      const runId = await client.start(await defineChain(REPORT, tool('after', 'noop')));
      expect(stepsOf(await client.until(runId, 'paused'))).to.deep.equal(['approval-inputs']);
      await client.resume(runId, { type: 'collect_inputs', data: { approvalReason: 'x', approvedAmount: 1 } });
      expect(stepsOf(await client.until(runId, 'completed'))).to.deep.equal(['approval-inputs', 'after', 'end-1']);
    });

    it('"Complete - Workflow reaches end-flow step"', async () => {
      const workflow = await defineChain(tool('a', 'noop'));
      const status = await client.until(await client.start(workflow), 'completed');
      expect(status.stepExecutionHistory.at(-1)).to.include({
        stepId: 'end-1',
        stepType: 'end-flow',
        status: 'completed',
      });
      expect(status.result).to.deep.equal({ success: true });
    });

    it('"supports long-running processes, human-in-the-loop interactions, and step-by-step progress tracking"', async () => {
      const workflow = await defineChain(
        tool('a', 'noop'),
        { id: 'rest', type: 'wait', durationMs: 86_400_000 } as { id: string },
        DECISION,
      );
      const status = await client.until(await client.start(workflow), ({ currentStepId }) => currentStepId === 'rest');
      const progress = status.stepExecutionHistory.map((step: { stepId: string; status: string }) => [
        step.stepId,
        step.status,
      ]);
      expect([status.status, progress]).to.deep.equal([
        'running',
        [
          ['a', 'completed'],
          ['rest', 'running'],
        ],
      ]);
    });
  });

  describe('Synchronous vs Asynchronous', () => {
    it('"POST /api/workflow/start/:workflowId - Blocks until workflow completes"', async () => {
      receiver.hold();
      const before = receiver.calls.length;
      const workflow = await defineChain(sendEmail());
      let isAnswered = false;
      const answer = client.post(`/api/workflow/start/${workflow}`, { data: {} }).finally(() => {
        isAnswered = true;
      });
      await eventually(() => receiver.calls.length > before);
      expect(isAnswered).to.equal(false);
      receiver.release();
      const { status, body } = await answer;
      expect({ status, word: body.status }).to.deep.equal({ status: 200, word: 'completed' });
    });

    it('"Returns final result directly"', async () => {
      const workflow = await client.define({
        name: 'Sum',
        initialStep: 'end-1',
        steps: [{ ...END, result: { sum: '${data.a + data.b}' } }],
        edges: [],
      });
      const { status, body } = await client.post(`/api/workflow/start/${workflow}`, { data: { a: 1, b: 2 } });
      expect({ status, body: mask(body) }).to.deep.equal({
        status: 200,
        body: { runId: '<id>', status: 'completed', data: { a: 1, b: 2 }, result: { sum: 3 } },
      });
    });

    it('"POST /api/workflow/start-async/:workflowId - Returns immediately with runId"', async () => {
      receiver.hold();
      const workflow = await defineChain(sendEmail());
      const { status, body } = await client.post(`/api/workflow/start-async/${workflow}`, { data: {} });
      expect({ status, body: mask(body) }).to.deep.equal({ status: 200, body: { runId: '<id>' } });
      expect((await client.status(body.runId)).status).to.equal('running');
      receiver.release();
      await client.until(body.runId, 'completed');
    });

    it('"Poll status endpoint for progress"', async () => {
      receiver.hold();
      const runId = await client.start(await defineChain(tool('a', 'noop'), sendEmail()));
      await client.until(runId, ({ currentStepId }) => currentStepId === 'send-email-1');
      receiver.release();
      expect((await client.until(runId, 'completed')).currentStepId).to.equal('end-1');
    });

    it('"Required for workflows with human steps"', async () => {
      const runId = await client.start(await defineChain(DECISION));
      expect((await client.status(runId)).status).to.equal('paused');
      await client.resume(runId, { type: 'request_user_action', actionId: 'approve', actionValue: 'approved' });
      await client.until(runId, 'completed');
    });
  });

  describe('Monitoring Progress', () => {
    it('"Poll the status endpoint to track execution"', async () => {
      receiver.hold();
      const collect = { id: 'collect-inputs-1', type: 'collect-inputs', output: { customerName: { type: 'string' } } };
      const workflow = await defineChain(collect, sendEmail());
      const runId = await client.start(workflow, { customerName: 'John Doe' });
      const status = await client.until(
        runId,
        ({ stepExecutionHistory: [, second] }) => second?.attempts === 1 && second.inputData !== null,
      );
      const args = { url: receiver.url };
      expect(mask(status)).to.deep.equal({
        runId: '<id>',
        workflowId: 'chain',
        version: '1.0.0',
        status: 'running',
        currentStepId: 'send-email-1',
        pauseSignal: null,
        pauseSignals: [],
        data: { customerName: 'John Doe' },
        stepExecutionHistory: [
          {
            stepId: 'collect-inputs-1',
            stepType: 'collect-inputs',
            stepName: 'collect-inputs-1',
            status: 'completed',
            startTime: '<time>',
            endTime: '<time>',
            duration: '<ms>',
            inputData: null,
            outputData: { customerName: 'John Doe' },
            error: null,
            visit: 1,
            attempts: 1,
          },
          {
            stepId: 'send-email-1',
            stepType: 'call-tool',
            stepName: 'send-email-1',
            status: 'running',
            startTime: '<time>',
            endTime: null,
            duration: null,
            inputData: { args },
            outputData: null,
            error: null,
            visit: 1,
            attempts: 1,
          },
        ],
        result: null,
        error: null,
        startTime: '<time>',
        endTime: null,
      });
    });
  });

  describe('Execution Status', () => {
    it('"running | Workflow is actively executing"', async () => {
      receiver.hold();
      const runId = await client.start(await defineChain(sendEmail()));
      await eventually(() => receiver.calls.some((call) => call.runId === runId));
      expect((await client.status(runId)).status).to.equal('running');
    });

    it('"completed | Workflow finished successfully"', async () => {
      const runId = await client.start(await defineChain(tool('a', 'noop')));
      expect(await client.until(runId, 'completed')).to.include({ error: null, pauseSignal: null });
    });

    it('"failed | Workflow encountered an error"', async () => {
      const runId = await client.start(await defineChain(tool('a', 'external-service')));
      expect(await client.until(runId, 'failed')).to.include({ result: null, pauseSignal: null });
    });

    it('"paused | Waiting for human input or action"', async () => {
      for (const step of [REPORT, DECISION]) {
        const status = await client.status(await client.start(await defineChain(step)));
        expect([status.status, status.currentStepId]).to.deep.equal(['paused', step.id]);
      }
    });
  });

  describe('Handling Pauses', () => {
    it('"Workflows pause when they reach steps requiring human interaction"', async () => {
      receiver.hold();
      const runId = await client.start(await defineChain(sendEmail(), DECISION));
      expect(await client.status(runId)).to.include({ status: 'running', pauseSignal: null });
      receiver.release();
      expect(stepsOf(await client.until(runId, 'paused'))).to.deep.equal(['send-email-1', 'manager-approval']);
    });

    it('Collect Inputs Pause: "The workflow needs data from a user"', async () => {
      const status = await client.status(await client.start(await defineChain(REPORT)));
      expect(mask({ status: status.status, pauseSignal: status.pauseSignal })).to.deep.equal({
        status: 'paused',
        pauseSignal: {
          type: 'collect_inputs',
          stepId: 'approval-inputs',
          fields: { approvalReason: { type: 'string' }, approvedAmount: { type: 'number' } },
          id: '<id>',
        },
      });
    });

    it('Collect Inputs Pause: "Resume with data"', async () => {
      const runId = await client.start(await defineChain(REPORT));
      const data = { approvalReason: 'Budget approved for Q1', approvedAmount: 10000 };
      const { status, body } = await client.resume(runId, { type: 'collect_inputs', data });
      expect({ status, body }).to.deep.equal({ status: 200, body: { runId, status: 'completed' } });
      expect((await client.status(runId)).data).to.deep.equal(data);
    });

    it('User Action Pause: "The workflow needs a decision (approve/reject)"', async () => {
      const status = await client.status(await client.start(await defineChain(DECISION)));
      expect(mask({ status: status.status, pauseSignal: status.pauseSignal })).to.deep.equal({
        status: 'paused',
        pauseSignal: {
          type: 'request_user_action',
          stepId: 'manager-approval',
          actions: [
            { id: 'approve', label: 'Approve' },
            { id: 'reject', label: 'Reject' },
          ],
          id: '<id>',
        },
      });
    });

    it('User Action Pause: "Resume with action"', async () => {
      const runId = await client.start(await defineChain(DECISION));
      const { status, body } = await client.resume(runId, {
        type: 'request_user_action',
        actionId: 'approve',
        actionValue: 'approved',
      });
      expect({ status, body }).to.deep.equal({ status: 200, body: { runId, status: 'completed' } });
      const [decided] = mask((await client.status(runId)).stepExecutionHistory);
      expect(decided.outputData).to.deep.equal({
        actionId: 'approve',
        actionValue: 'approved',
        outcome: 'approved',
        comment: null,
        data: {},
        decidedBy: 'user-editor',
        decidedAt: '<time>',
      });
    });
  });

  describe('Step Execution History', () => {
    // biome-ignore lint/suspicious/noExplicitAny: entries are whatever the server said, and these tests assert it
    let collected: any, worked: any, failed: any, running: any;

    before(async () => {
      client = await createSeedClient(holdpoint.db, () => holdpoint.address);
      receiver.hold();
      const collect = { ...REPORT, name: 'Approve the budget' };
      const failing = await defineChain(
        collect,
        tool('pay', 'give', { paid: '${data.approvedAmount}' }),
        tool('book', 'external-service'),
      );
      const data = { approvalReason: 'x', approvedAmount: 7 };
      const runs = await Promise.all([client.start(failing, data), client.start(await defineChain(sendEmail()))]);
      [collected, worked, failed] = (await client.until(runs[0], 'failed')).stepExecutionHistory;
      await eventually(() => receiver.calls.some((call) => call.runId === runs[1]));
      [running] = (await client.status(runs[1])).stepExecutionHistory;
    });

    const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

    it('"stepId | Unique step identifier"', () => {
      expect([collected, worked, failed, running].map(({ stepId }) => stepId)).to.deep.equal([
        'approval-inputs',
        'pay',
        'book',
        'send-email-1',
      ]);
    });

    it('"stepType | Type of step (collect-inputs, call-tool, etc.)"', () => {
      expect([collected, worked, failed, running].map(({ stepType }) => stepType)).to.deep.equal([
        'collect-inputs',
        'call-tool',
        'call-tool',
        'call-tool',
      ]);
    });

    it('"stepName | Human-readable step name"', () => {
      expect([collected.stepName, worked.stepName]).to.deep.equal(['Approve the budget', 'pay']);
    });

    it('"status | Step status: running, completed, failed"', () => {
      expect([collected, worked, failed, running].map(({ status }) => status)).to.deep.equal([
        'completed',
        'completed',
        'failed',
        'running',
      ]);
    });

    it('"startTime | ISO 8601 start timestamp"', () => {
      for (const { startTime } of [collected, worked, failed, running]) expect(startTime).to.match(TIME);
    });

    it('"endTime | ISO 8601 end timestamp (if completed)"', () => {
      for (const { endTime } of [collected, worked, failed]) expect(endTime).to.match(TIME);
      expect(running.endTime).to.equal(null);
    });

    it('"duration | Execution time in milliseconds"', () => {
      for (const { duration, startTime, endTime } of [collected, worked, failed]) {
        expect(duration).to.equal(Date.parse(endTime) - Date.parse(startTime));
      }
      expect(running.duration).to.equal(null);
    });

    it('"inputData | Data provided to the step"', () => {
      expect(worked.inputData).to.deep.equal({ args: { paid: 7 } });
      expect(running.inputData).to.deep.equal({ args: { url: receiver.url } });
    });

    it('"outputData | Data produced by the step"', () => {
      expect(collected.outputData).to.deep.equal({ approvalReason: 'x', approvedAmount: 7 });
      expect(worked.outputData).to.deep.equal({ paid: 7 });
      expect([failed.outputData, running.outputData]).to.deep.equal([null, null]);
    });

    it('"error | Error message (if failed)"', () => {
      expect([collected, worked, failed, running].map(({ error }) => error)).to.deep.equal([
        null,
        null,
        'Connection timeout to external service',
        null,
      ]);
    });
  });

  describe('Cancellation and Termination', () => {
    /** A run that is busy with a step and would clean up, of the workflow `customer-onboarding`. */
    async function startBusy(step: object): Promise<string> {
      const workflow = await client.define({
        name: 'Customer Onboarding',
        initialStep: 'work',
        steps: [step, tool('next', 'noop'), tool('clean-up', 'effect', { url: receiver.url }), END],
        edges: edges('work next end-1'),
        onCancel: 'clean-up',
      });
      const runId = await client.start(workflow);
      await eventually(() => receiver.calls.some((call) => call.runId === runId));
      return runId;
    }
    const heardOf = (runId: string) =>
      receiver.calls.filter((call) => call.runId === runId).map(({ step, what }) => `${step}: ${what}`);

    it('"Cancel - Request graceful shutdown"', async () => {
      await defineChain(DECISION);
      const runId = await client.start('chain');
      const reason = 'User requested cancellation';
      const { status, body } = await client.post('/api/workflow/management/cancel', {
        workflowId: 'chain',
        runId,
        reason,
      });
      expect({ status, body: mask(body) }).to.deep.equal({
        status: 200,
        body: {
          success: true,
          data: {
            runId: '<id>',
            status: 'cancelled',
            cancellation: { type: 'cancel', reason, by: 'user-editor', at: '<time>' },
          },
        },
      });
    });

    it('"Cancel | Graceful shutdown, allows cleanup"', async () => {
      receiver.hold();
      const runId = await startBusy(tool('work', 'effect', { url: receiver.url }));
      const request = { workflowId: 'customer-onboarding', runId, reason: 'User requested cancellation' };
      const { body } = await client.post('/api/workflow/management/cancel', request);
      expect(body.data).to.deep.include({ runId, status: 'running' });
      await eventually(() => heardOf(runId).includes('clean-up: effect'), { what: () => heardOf(runId).join(', ') });
      expect((await client.status(runId)).status).to.equal('running');
      receiver.release();
      const ended = await client.until(runId, 'cancelled');
      expect(heardOf(runId)).to.deep.equal(['work: effect', 'work: aborted', 'clean-up: effect']);
      expect(stepsOf(ended)).to.deep.equal(['work', 'clean-up']);
    });

    it('"Terminate - Force-kill immediately"', async () => {
      const runId = await startBusy(tool('work', 'hang', { url: receiver.url }));
      const reason = 'Workflow unresponsive';
      const request = { workflowId: 'customer-onboarding', runId, reason };
      const { status, body } = await client.post('/api/workflow/management/terminate', request);
      expect({ status, body: mask(body) }).to.deep.equal({
        status: 200,
        body: {
          success: true,
          data: {
            runId: '<id>',
            status: 'cancelled',
            cancellation: { type: 'terminate', reason, by: 'user-editor', at: '<time>' },
          },
        },
      });
      expect((await client.status(runId)).status).to.equal('cancelled');
    });

    it('"Terminate | Immediate stop, no cleanup"', async () => {
      receiver.hold();
      const runId = await startBusy(tool('work', 'effect', { url: receiver.url }));
      await client.post('/api/workflow/management/terminate', { runId });
      await eventually(() => heardOf(runId).includes('work: aborted'));
      receiver.release();
      const after = await client.start(await defineChain(tool('a', 'noop')));
      await client.until(after, 'completed');
      expect(heardOf(runId)).to.deep.equal(['work: effect', 'work: aborted']);
      expect(stepsOf(await client.status(runId))).to.deep.equal(['work']);
    });
  });

  describe('Passing Initial Data', () => {
    const data = { vendorId: 'vendor-123', budget: 50000, department: 'Engineering', priority: 'high' };

    it('"Provide input data when starting a workflow"', async () => {
      const { status, body } = await client.post(`/api/workflow/start/${await defineChain(tool('a', 'noop'))}`, {
        data,
      });
      expect({ status, body: mask(body) }).to.deep.equal({
        status: 200,
        body: { runId: '<id>', status: 'completed', data, result: { success: true } },
      });
    });

    it('"The workflow can access this data in step configurations using ${data.fieldName} syntax"', async () => {
      const args = {
        order: '${data.vendorId}',
        amount: '${data.budget}',
        note: '${data.department}: ${data.priority} priority',
      };
      const workflow = await defineChain(tool('buy', 'give', args), {
        ...DECISION,
        message: 'Pay ${data.budget} to ${data.vendorId}?',
      } as { id: string });
      const { body } = await client.post(`/api/workflow/start/${workflow}`, { data });
      expect(body.data).to.deep.equal({
        ...data,
        order: 'vendor-123',
        amount: 50000,
        note: 'Engineering: high priority',
      });
      expect(body.pauseSignal.message).to.equal('Pay 50000 to vendor-123?');
    });
  });

  describe('Error Handling', () => {
    it('"When a step fails, the workflow status becomes failed"', async () => {
      const runId = await client.start(await defineChain(tool('call-api-1', 'external-service')));
      const { status, stepExecutionHistory } = mask(await client.until(runId, 'failed'));
      expect({ status, stepExecutionHistory }).to.deep.equal({
        status: 'failed',
        stepExecutionHistory: [
          {
            stepId: 'call-api-1',
            stepType: 'call-tool',
            stepName: 'call-api-1',
            status: 'failed',
            startTime: '<time>',
            endTime: '<time>',
            duration: '<ms>',
            inputData: { args: {} },
            outputData: null,
            error: 'Connection timeout to external service',
            visit: 1,
            attempts: 1,
          },
        ],
      });
    });

    it('"The execution backend provides automatic retries for transient failures"', async () => {
      const runId = await client.start(await defineChain(tool('call-api-1', 'external-service', { times: 1 })));
      const [step] = (await client.until(runId, 'completed')).stepExecutionHistory;
      expect(step).to.deep.include({ status: 'completed', attempts: 2, outputData: { answered: true }, error: null });
      expect(step.duration).to.be.at.least(700);
    });

    it('"Permanent failures stop the workflow and record the error"', async () => {
      const runId = await client.start(await defineChain(tool('call-api-1', 'external-service'), tool('next', 'noop')));
      const status = await client.until(runId, 'failed');
      expect(stepsOf(status)).to.deep.equal(['call-api-1']);
      expect(status.error).to.deep.equal({
        code: 'connection_timeout',
        message: 'Connection timeout to external service',
        stepId: 'call-api-1',
      });
      expect(status.endTime).to.be.a('string');
    });
  });

  describe('Durability', () => {
    it('"Paused workflows can remain paused indefinitely until resumed"', async () => {
      const runId = await client.start(await defineChain(DECISION));
      for (const [table, key, columns] of [
        ['runs', 'id', ['created_at', 'started_at']],
        ['step_runs', 'run_id', ['created_at', 'started_at']],
        ['pauses', 'run_id', ['opened_at']],
      ] as const) {
        const aged = columns.map((column) => `${column} = ${column} - interval '30 years'`).join(', ');
        await holdpoint.db.pool.query(`UPDATE ${table} SET ${aged} WHERE ${key} = $1`, [runId]);
      }
      // A sweep has passed once another run that only a sweep can finish is done.
      const other = await client.start(
        await defineChain({ id: 'rest', type: 'wait', durationMs: 700 } as { id: string }),
      );
      await client.until(other, 'completed');
      expect((await client.status(runId)).status).to.equal('paused');
      await client.resume(runId, { type: 'request_user_action', actionId: 'approve' });
      await client.until(runId, 'completed');
    });
  });
});
