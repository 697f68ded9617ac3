// Seed 001, "Workflow API": each test quotes the sentence that it checks. Updates, archiving, deletion and copies are
// 001-workflow-management.test.ts; its curl lines are curl-lines.test.ts. Over 400 lines because it follows one document
// from top to bottom.

import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { SignJWT } from 'jose';
import { call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createSeedClient, mask, type SeedClient } from '../support/seed-client.ts';
import { edges, tool } from '../support/steps.ts';

const TOOLS = [fileURLToPath(new URL('../support/tools.ts', import.meta.url))];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The definition that the seed prints under "Create Workflow". */
const PRINTED = {
  name: 'Customer Onboarding',
  description: 'Onboarding workflow for new customers',
  initialStep: 'collect-inputs-1',
  steps: [
    {
      type: 'collect-inputs',
      id: 'collect-inputs-1',
      output: { customerName: { type: 'string' }, email: { type: 'string' } },
    },
    { type: 'end-flow', id: 'end-1' },
  ],
  edges: [{ from: 'collect-inputs-1', to: 'end-1' }],
  payload: {},
};
const JOHN = { customerName: 'John Doe', email: 'john@example.com' };

/** The workflow whose runs the seed prints: it asks, sends an e-mail, and ends. */
function onboarding(sendEmail: object = tool('send-email-1', 'echo', { confirmationSent: true })) {
  const collect = { ...PRINTED.steps[0], name: 'Collect Customer Info' };
  return {
    ...PRINTED,
    steps: [collect, sendEmail, PRINTED.steps[1]],
    edges: edges('collect-inputs-1 send-email-1 end-1'),
  };
}

describe('seed 001, Workflow API', () => {
  let holdpoint: Holdpoint;
  let receiver: Receiver;
  let client: SeedClient;

  before(async () => {
    [holdpoint, receiver] = await Promise.all([
      startHoldpoint({ withWorker: true, settings: { toolModules: TOOLS, secretKeys: [randomBytes(32)] } }),
      startReceiver(),
    ]);
  });
  beforeEach(async () => {
    client = await createSeedClient(holdpoint.db, () => holdpoint.address);
  });
  afterEach(() => receiver.release());
  after(() => Promise.all([holdpoint.stop(), receiver.close()]));

  /** Creates a workflow that does this step and ends. */
  const ask = (step: { id: string; type: string }) =>
    client.define({
      name: 'Approval',
      initialStep: step.id,
      steps: [step, { id: 'end-1', type: 'end-flow' }],
      edges: [{ from: step.id, to: 'end-1' }],
    });

  /** A run that sends its e-mail until the receiver lets it go. */
  async function startSending(): Promise<string> {
    receiver.hold();
    await client.define(onboarding(tool('send-email-1', 'effect', { url: receiver.url })));
    const runId = await client.start('customer-onboarding', JOHN);
    await eventually(() => receiver.calls.some((received) => received.runId === runId));
    return runId;
  }

  describe('Authentication', () => {
    it('API Key: a start with x-api-key and x-tenant-id, as the sample sends it', async () => {
      await client.define(PRINTED);
      const { status, body } = await call(`${holdpoint.address}/api/workflow/start/customer-onboarding`, {
        headers: {
          'x-api-key': client.workspace.keys.editor,
          'x-tenant-id': client.workspace.id,
          'content-type': 'application/json',
        },
        body: '{"data": {"customerName": "John Doe"}}',
      });
      expect({ status, word: body.status }).to.deep.equal({ status: 200, word: 'paused' });
    });

    it('"All workflow endpoints support both API Key and Signed JWT authentication", and none goes without', async () => {
      const key = await client.post(
        `/workspaces/${client.workspace.slug}/signing-keys`,
        { name: 'frontend', role: 'editor', algorithm: 'HS256' },
        'owner',
      );
      const token = await new SignJWT({ sub: 'john' })
        .setProtectedHeader({ alg: 'HS256', kid: key.body.id })
        .setExpirationTime('1h')
        .sign(new TextEncoder().encode(key.body.secret));
      const paths = {
        POST: [
          'workflow/start/x',
          'workflow/start-async/x',
          'workflow/resume/x',
          'workflow/management/cancel',
          'workflow/management/terminate',
          'workflows',
          'workflows/x/publish',
          'workflows/x/clone',
          'workflows/x/unarchive',
        ],
        GET: [
          'workflow/status/x',
          'workflow/metadata/input/x',
          'workflows',
          'workflows/x',
          'workflows/x/versions',
          'files/x',
        ],
        PUT: ['workflows/x'],
        DELETE: ['workflows/x'],
      };
      const { editor } = client.workspace.keys;
      const credentials = [
        { 'x-api-key': editor, 'x-tenant-id': client.workspace.id },
        { authorization: `Bearer ${token}` },
      ];
      for (const [method, list] of Object.entries(paths)) {
        for (const path of list) {
          const ask = (headers: Record<string, string>) =>
            call(`${holdpoint.address}/api/${path}`, { method, headers, ...(method === 'GET' ? {} : { body: {} }) });
          for (const headers of credentials)
            expect((await ask(headers)).status, `${method} ${path}`).to.be.oneOf([200, 400, 404]);
          expect((await ask({})).status, `${method} ${path}`).to.equal(401);
        }
      }
    });
  });

  describe('Execute Workflow (Sync)', () => {
    const start = (body: object) => client.post('/api/workflow/start/customer-onboarding', body);

    it('"Execute a workflow and wait for completion"', async () => {
      await client.define(onboarding());
      const { status, body } = await start({ data: JOHN });
      expect(body.runId).to.match(UUID);
      expect({ status, body: mask(body) }).to.deep.equal({
        status: 200,
        body: {
          runId: '<id>',
          status: 'completed',
          data: { customerName: 'John Doe', email: 'john@example.com', confirmationSent: true },
          result: { success: true },
        },
      });
    });

    it('"data | object | Input payload matching workflow\'s expected inputs"', async () => {
      const payload = { customerName: { type: 'string' }, email: { type: 'string' } };
      await client.define({ ...PRINTED, payload });
      expect((await start({ data: JOHN })).body.status).to.equal('completed');
      for (const data of [{ customerName: 'John Doe' }, { ...JOHN, email: 7 }, 'John Doe', [JOHN], null]) {
        const { status, body } = await start({ data });
        expect([status, body.error?.code], JSON.stringify(data)).to.be.deep.oneOf([
          [400, 'INVALID_INPUT'],
          [400, 'INVALID_REQUEST'],
        ]);
        expect(body.error.details).not.to.deep.equal([]);
      }
    });

    it('"The request blocks until the workflow finishes"', async () => {
      receiver.hold();
      await client.define(onboarding(tool('send-email-1', 'effect', { url: receiver.url })));
      const heard = receiver.calls.length;
      let isAnswered = false;
      const answer = start({ data: JOHN }).finally(() => {
        isAnswered = true;
      });
      await eventually(() => receiver.calls.length > heard);
      expect(isAnswered).to.equal(false);
      receiver.release();
      expect((await answer).body).to.include({ status: 'completed' });
    });
  });

  describe('Execute Workflow (Async)', () => {
    it('"Execute a workflow and return immediately with a run ID"', async () => {
      receiver.hold();
      await client.define(onboarding(tool('send-email-1', 'effect', { url: receiver.url })));
      const { status, body } = await client.post('/api/workflow/start-async/customer-onboarding', { data: JOHN });
      expect({ status, body: mask(body) }).to.deep.equal({ status: 200, body: { runId: '<id>' } });
      expect((await client.status(body.runId)).status).to.equal('running');
    });

    it('"Request Body: Same as synchronous execution"', async () => {
      await client.define(onboarding());
      const bodies = [
        { data: JOHN },
        {},
        { data: JOHN, version: '1.0.0' },
        { data: [] },
        { input: JOHN },
        { data: {}, version: '9' },
      ];
      for (const body of bodies) {
        const [sync, async] = [
          await client.post('/api/workflow/start/customer-onboarding', body),
          await client.post('/api/workflow/start-async/customer-onboarding', body),
        ];
        expect([async.status, async.body.error?.message], JSON.stringify(body)).to.deep.equal([
          sync.status,
          sync.body.error?.message,
        ]);
      }
    });

    it('"workflows with human approval steps, or when you need non-blocking execution. Poll the status endpoint to track progress"', async () => {
      const runId = await client.start(await ask({ id: 'manager-approval', type: 'request-user-action' }));
      expect(await client.status(runId)).to.include({ status: 'paused', currentStepId: 'manager-approval' });
      await client.resume(runId, { type: 'request_user_action', actionId: 'approve' });
      expect(await client.status(runId)).to.include({ status: 'completed', currentStepId: 'end-1' });
    });
  });

  describe('Get Execution Status', () => {
    it('"Check the status and progress of a workflow run"', async () => {
      const runId = await startSending();
      const status = await client.status(runId);
      expect(mask(status)).to.deep.equal({
        runId: '<id>',
        workflowId: 'customer-onboarding',
        version: '1.0.0',
        status: 'running',
        currentStepId: 'send-email-1',
        pauseSignal: null,
        pauseSignals: [],
        data: JOHN,
        stepExecutionHistory: [
          {
            stepId: 'collect-inputs-1',
            stepType: 'collect-inputs',
            stepName: 'Collect Customer Info',
            status: 'completed',
            startTime: '<time>',
            endTime: '<time>',
            duration: '<ms>',
            inputData: null,
            outputData: JOHN,
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
            inputData: { args: { url: receiver.url } },
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

    it('"status | Current status: running, completed, failed, paused"', async () => {
      expect((await client.status(await startSending())).status).to.equal('running');
      await client.define({ ...PRINTED, name: 'Asks' });
      const paused = await client.start('asks');
      expect((await client.status(paused)).status).to.equal('paused');
      await client.resume(paused, { type: 'collect_inputs', data: JOHN });
      expect((await client.status(paused)).status).to.equal('completed');
      await client.define({
        name: 'Fails',
        initialStep: 'end',
        steps: [{ id: 'end', type: 'end-flow', status: 'failed' }],
        edges: [],
      });
      expect((await client.status(await client.start('fails'))).status).to.equal('failed');
    });

    it('"currentStepId | ID of the currently executing step"', async () => {
      expect((await client.status(await startSending())).currentStepId).to.equal('send-email-1');
    });

    it('"pauseSignal | Present when workflow is paused for input"', async () => {
      await client.define(PRINTED);
      const runId = await client.start('customer-onboarding');
      expect(mask((await client.status(runId)).pauseSignal)).to.deep.equal({
        type: 'collect_inputs',
        stepId: 'collect-inputs-1',
        fields: PRINTED.steps[0]!.output,
        id: '<id>',
      });
      await client.resume(runId, { type: 'collect_inputs', data: JOHN });
      expect((await client.status(runId)).pauseSignal).to.equal(null);
    });

    it('"stepExecutionHistory | Array of completed and in-progress steps"', async () => {
      const { stepExecutionHistory } = await client.status(await startSending());
      expect(
        stepExecutionHistory.map((step: { stepId: string; status: string }) => [step.stepId, step.status]),
      ).to.deep.equal([
        ['collect-inputs-1', 'completed'],
        ['send-email-1', 'running'],
      ]);
    });

    it('"result | Final output when workflow completes"', async () => {
      const runId = await startSending();
      expect((await client.status(runId)).result).to.equal(null);
      receiver.release();
      expect((await client.until(runId, 'completed')).result).to.deep.equal({ success: true });
    });
  });

  describe('Resume Workflow: "Resume a paused workflow by providing requested input or action"', () => {
    const FIELDS = { id: 'approval-inputs', type: 'collect-inputs', output: { approvalReason: { type: 'string' } } };
    const REASON = { type: 'collect_inputs', data: { approvalReason: 'Budget approved for Q1' } };
    const APPROVED = { type: 'request_user_action', actionId: 'approval-action-1', actionValue: 'approved' };

    async function expectResumed(step: { id: string; type: string }, answer: object): Promise<SeedClient> {
      const runId = await client.start(await ask(step));
      const { status, body } = await client.resume(runId, answer);
      expect({ status, body }).to.deep.equal({ status: 200, body: { runId, status: 'completed' } });
      return (await client.status(runId)).stepExecutionHistory[0].outputData;
    }

    it('"Request Body (for collect-inputs pause)": the sample resumes', async () => {
      expect(await expectResumed(FIELDS, REASON)).to.deep.equal({ approvalReason: 'Budget approved for Q1' });
    });

    it('"Request Body (for user-action pause)": the sample resumes a step whose id is its actionId', async () => {
      const output = await expectResumed({ id: 'approval-action-1', type: 'request-user-action' }, APPROVED);
      expect(output).to.include({ actionId: 'approve', actionValue: 'approved', outcome: 'approved' });
    });

    it('"Request Body (for user-action pause)": the sample resumes a step that has its actionId', async () => {
      const step = { id: 'manager-approval', type: 'request-user-action', actionId: 'approval-action-1' };
      expect(await expectResumed(step, APPROVED)).to.include({
        actionId: 'approve',
        actionValue: 'approved',
        outcome: 'approved',
      });
    });

    it('"Request Body (for user-action pause)": the sample resumes a step that offers its actionId', async () => {
      const step = {
        id: 'manager-approval',
        type: 'request-user-action',
        actions: [{ id: 'approval-action-1', label: 'Sign' }, { id: 'no' }],
      };
      expect(await expectResumed(step, APPROVED)).to.include({
        actionId: 'approval-action-1',
        actionValue: 'approved',
      });
    });

    it('"type | Pause type: collect_inputs or request_user_action"', async () => {
      const runId = await client.start(await ask(FIELDS));
      for (const answer of [{ data: REASON.data }, { ...REASON, type: 'sign' }])
        expect((await client.resume(runId, answer)).status).to.equal(400);
      expect((await client.resume(runId, { type: 'request_user_action', actionId: 'approve' })).status).to.equal(409);
      expect((await client.resume(runId, REASON)).status).to.equal(200);
    });

    it('"data | Input data for collect_inputs type"', async () => {
      const runId = await client.start(await ask(FIELDS));
      for (const answer of [
        { type: 'collect_inputs' },
        { type: 'collect_inputs', data: {} },
        { type: 'collect_inputs', data: { approvalReason: 1 } },
      ]) {
        const { status, body } = await client.resume(runId, answer);
        expect(status).to.equal(400);
        expect(body.error.details[0].pointer).to.match(/^\/data/);
      }
      expect((await client.status(runId)).status).to.equal('paused');
      expect((await client.resume(runId, REASON)).status).to.equal(200);
      expect((await client.status(runId)).data).to.deep.equal(REASON.data);
    });

    it('"actionId | Action identifier for request_user_action type"', async () => {
      const runId = await client.start(await ask({ id: 'manager-approval', type: 'request-user-action' }));
      for (const answer of [
        { type: 'request_user_action' },
        { type: 'request_user_action', actionId: 'someone-elses' },
      ]) {
        const { status, body } = await client.resume(runId, answer);
        expect({ status, pointer: body.error.details[0].pointer }).to.deep.equal({ status: 400, pointer: '/actionId' });
      }
      expect((await client.resume(runId, { type: 'request_user_action', actionId: 'approve' })).status).to.equal(200);
    });

    it('"actionValue | Selected action value (e.g., approved, rejected)"', async () => {
      const step = { id: 'approval-action-1', type: 'request-user-action' };
      expect(await expectResumed(step, { ...APPROVED, actionValue: 'approve' })).to.include({
        actionId: 'approve',
        actionValue: 'approved',
      });
      const runId = await client.start(await ask(step));
      expect(
        (await client.resume(runId, { ...APPROVED, actionId: 'approve', actionValue: 'rejected' })).status,
      ).to.equal(400);
      expect((await client.resume(runId, { ...APPROVED, actionValue: 'maybe' })).status).to.equal(400);
      const { body } = await client.resume(runId, { ...APPROVED, actionValue: 'rejected' });
      expect(body).to.deep.equal({ runId, status: 'failed' });
      const status = await client.status(runId);
      expect(status.error).to.include({ code: 'approval_rejected' });
      expect(status.stepExecutionHistory[0].outputData).to.include({
        actionId: 'reject',
        actionValue: 'rejected',
        outcome: 'rejected',
      });
    });
  });

  describe('Get Workflow Input Schema', () => {
    it('"Retrieve the expected input payload for a workflow"', async () => {
      const payload = {
        customerName: { type: 'string', description: 'Customer name' },
        email: { type: 'string', description: 'Contact email' },
      };
      await client.define({ ...PRINTED, payload });
      const { status, body } = await client.get('/api/workflow/metadata/input/customer-onboarding');
      expect({ status, body }).to.deep.equal({
        status: 200,
        body: { success: true, data: { workflowId: 'customer-onboarding', payload } },
      });
    });
  });

  describe('List Workflows', () => {
    const list = async (query = '') => (await client.get(`/api/workflows${query}`)).body;
    const idsOf = async (query = '') => (await list(query)).map(({ id }: { id: string }) => id);
    const defineAll = async () => {
      await client.define({ ...PRINTED, name: 'Invoices', description: 'Pays what customers are owed' });
      await client.define({ ...PRINTED, name: 'Holidays', description: 'Grants 100% of them' });
      await client.define(PRINTED);
    };

    it('"GET /api/workflows" answers the array that the sample shows', async () => {
      await client.define(PRINTED);
      await client.post('/api/workflows/customer-onboarding/publish', { version: '1.0.0' });
      const { status, body } = await client.get('/api/workflows');
      expect({ status, body: mask(body) }).to.deep.equal({
        status: 200,
        body: [
          {
            id: 'customer-onboarding',
            name: 'Customer Onboarding',
            description: 'Onboarding workflow for new customers',
            status: 'published',
            version: '1.0.0',
            publishedVersion: '1.0.0',
            createdAt: '<time>',
            updatedAt: '<time>',
          },
        ],
      });
    });

    it('"search | - | Search by name or description"', async () => {
      await defineAll();
      expect(await idsOf('?search=HOLI')).to.deep.equal(['holidays']);
      expect(await idsOf('?search=customer')).to.deep.equal(['customer-onboarding', 'invoices']);
      expect(await idsOf('?search=100%25')).to.deep.equal(['holidays']);
      expect(await idsOf('?search=_')).to.deep.equal([]);
    });

    it('"status | - | Filter by status: draft, testing, published, archived"', async () => {
      await defineAll();
      await client.post('/api/workflows/holidays/publish', {});
      await client.remove('/api/workflows/invoices');
      expect(await idsOf('?status=draft')).to.deep.equal(['customer-onboarding']);
      expect(await idsOf('?status=published')).to.deep.equal(['holidays']);
      expect(await idsOf('?status=archived')).to.deep.equal(['invoices']);
      expect(await idsOf('?status=testing')).to.deep.equal([]);
      expect((await client.get('/api/workflows?status=live')).status).to.equal(400);
    });

    it('"includeArchived | false | Include archived workflows"', async () => {
      await defineAll();
      await client.remove('/api/workflows/invoices');
      expect(await idsOf()).to.have.members(['customer-onboarding', 'holidays']);
      expect(await idsOf('?includeArchived=false')).to.have.members(['customer-onboarding', 'holidays']);
      expect(await idsOf('?includeArchived=true')).to.have.members(['customer-onboarding', 'holidays', 'invoices']);
    });

    it('"limit | - | Pagination limit" and "offset | - | Pagination offset"', async () => {
      await defineAll();
      const all = await idsOf();
      expect(all).to.deep.equal(['customer-onboarding', 'holidays', 'invoices']);
      expect(await idsOf('?limit=2')).to.deep.equal(all.slice(0, 2));
      expect(await idsOf('?limit=2&offset=2')).to.deep.equal(all.slice(2));
      expect(await idsOf('?offset=1')).to.deep.equal(all.slice(1));
      expect(await idsOf('?offset=9')).to.deep.equal([]);
    });
  });

  describe('Get Workflow', () => {
    it('"version | latest | Version selector: latest, published, or version number"', async () => {
      await client.define(PRINTED);
      const get = (query: string) => client.get(`/api/workflows/customer-onboarding${query}`);
      const latest = await get('');
      expect(latest.status).to.equal(200);
      for (const selector of ['latest', '1.0.0', '1'])
        expect((await get(`?version=${selector}`)).body).to.deep.equal(latest.body);
      expect((await get('?version=published')).status).to.equal(404);
      await client.post('/api/workflows/customer-onboarding/publish', {});
      expect((await get('?version=published')).body).to.include({ version: '1.0.0', status: 'published' });
      expect((await get('?version=2')).status).to.equal(404);
    });
  });

  describe('Create Workflow', () => {
    it('"POST /api/workflows" takes the definition that the sample shows, and runs it', async () => {
      const { status, body } = await client.post('/api/workflows', PRINTED);
      expect({ status, body: mask(body) }).to.deep.equal({
        status: 201,
        body: {
          ...PRINTED,
          id: 'customer-onboarding',
          uuid: '<id>',
          status: 'draft',
          version: '1.0.0',
          publishedVersion: null,
          createdAt: '<time>',
          updatedAt: '<time>',
          createdBy: 'user-editor',
        },
      });
      const run = await client.post('/api/workflow/start/customer-onboarding', { data: JOHN });
      expect(mask(run.body)).to.deep.equal({
        runId: '<id>',
        status: 'completed',
        data: JOHN,
        result: { success: true },
      });
    });
  });

  describe('Publish Workflow', () => {
    it('"Publishes a specific version, making it available for production use"', async () => {
      await client.define(PRINTED);
      const start = () => client.post('/api/workflow/start/customer-onboarding', { data: JOHN, version: 'published' });
      expect((await start()).status).to.equal(404);
      const { status, body } = await client.post('/api/workflows/customer-onboarding/publish', { version: '1.0.0' });
      expect({ status, word: body.status, version: body.publishedVersion }).to.deep.equal({
        status: 200,
        word: 'published',
        version: '1.0.0',
      });
      expect((await start()).body.status).to.equal('completed');
      expect((await client.post('/api/workflows/customer-onboarding/publish', { version: '1.0.7' })).status).to.equal(
        404,
      );
    });
  });

  describe('Execution Control', () => {
    it('"Request graceful cancellation of a running workflow"', async () => {
      const runId = await startSending();
      const reason = 'User requested cancellation';
      const { status, body } = await client.post('/api/workflow/management/cancel', {
        workflowId: 'customer-onboarding',
        runId,
        reason,
      });
      expect({ status, body: mask(body) }).to.deep.equal({
        status: 200,
        body: {
          success: true,
          data: {
            runId: '<id>',
            status: 'running',
            cancellation: { type: 'cancel', reason, by: 'user-editor', at: '<time>' },
          },
        },
      });
      const ended = await client.until(runId, 'cancelled');
      expect(ended.cancellation).to.deep.equal(body.data.cancellation);
      expect(ended.stepExecutionHistory).to.have.length(2);
    });

    it('"Force-terminate a running workflow immediately"', async () => {
      const runId = await startSending();
      const reason = 'Workflow unresponsive';
      const { status, body } = await client.post('/api/workflow/management/terminate', {
        workflowId: 'customer-onboarding',
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
            cancellation: { type: 'terminate', reason, by: 'user-editor', at: '<time>' },
          },
        },
      });
      expect((await client.status(runId)).status).to.equal('cancelled');
    });
  });

  describe('Error Responses', () => {
    function expectError(
      { status, body }: { status: number; body: { error?: { message?: string } } },
      expected: { status: number; code: string; words: string },
    ): void {
      expect(mask(body)).to.deep.equal({
        success: false,
        error: {
          code: expected.code,
          message: body.error?.message,
          details: mask(body).error.details,
          requestId: '<id>',
        },
      });
      expect(status).to.equal(expected.status);
      expect(body.error?.message).to.match(new RegExp(`^${expected.words}(: |$)`));
    }

    it('"400 | Invalid input | Missing or invalid request parameters"', async () => {
      await client.define({ ...PRINTED, payload: { customerName: { type: 'string' } } });
      const start = '/api/workflow/start/customer-onboarding';
      expectError(await client.post(start, { data: {} }), {
        status: 400,
        code: 'INVALID_INPUT',
        words: 'Invalid input',
      });
      expectError(await client.post(start, { wishes: 1 }), {
        status: 400,
        code: 'INVALID_REQUEST',
        words: 'Invalid input',
      });
      expectError(await client.post(start, '{"data":'), {
        status: 400,
        code: 'INVALID_REQUEST',
        words: 'Invalid input',
      });
      expectError(await client.post('/api/workflow/management/cancel', {}), {
        status: 400,
        code: 'INVALID_REQUEST',
        words: 'Invalid input',
      });
      expectError(await client.post('/api/workflows', { name: 'x' }), {
        status: 400,
        code: 'INVALID_DEFINITION',
        words: 'Invalid input',
      });
      expectError(await client.get('/api/workflows?limit=many'), {
        status: 400,
        code: 'INVALID_REQUEST',
        words: 'Invalid input',
      });
    });

    it('"401 | Unauthorized | Missing or invalid authentication"', async () => {
      const ask = (headers: Record<string, string>) => call(`${holdpoint.address}/api/workflows`, { headers });
      const tenant = { 'x-tenant-id': client.workspace.slug };
      const expected = { status: 401, code: 'UNAUTHORIZED', words: 'Unauthorized' };
      expectError(await ask({}), expected);
      expectError(await ask({ ...tenant, 'x-api-key': 'sk_your_api_key' }), expected);
      expectError(await ask({ 'x-api-key': client.workspace.keys.editor }), expected);
      expectError(await ask({ Authorization: 'Bearer your_jwt_token' }), expected);
    });

    it('"403 | Forbidden | Insufficient permissions for operation"', async () => {
      await client.define(PRINTED);
      const expected = { status: 403, code: 'FORBIDDEN', words: 'Forbidden' };
      expectError(await client.post('/api/workflow/start/customer-onboarding', {}, 'viewer'), expected);
      expectError(await client.post('/api/workflows', PRINTED, 'viewer'), expected);
      const stranger = await createSeedClient(holdpoint.db, () => holdpoint.address);
      const headers = { 'x-api-key': client.workspace.keys.editor, 'x-tenant-id': stranger.workspace.slug };
      expectError(await call(`${holdpoint.address}/api/workflows`, { headers }), expected);
    });

    it('"404 | Workflow not found | Workflow or version doesn\'t exist"', async () => {
      await client.define(PRINTED);
      const unknown = { status: 404, code: 'WORKFLOW_NOT_FOUND', words: 'Workflow not found' };
      expectError(await client.post('/api/workflow/start/nothing', {}), unknown);
      expectError(await client.post('/api/workflow/start-async/nothing', {}), unknown);
      expectError(await client.get('/api/workflow/metadata/input/nothing'), unknown);
      expectError(await client.get('/api/workflows/nothing'), unknown);
      expectError(await client.post('/api/workflows/nothing/publish', {}), unknown);
      const unnumbered = { status: 404, code: 'VERSION_NOT_FOUND', words: 'Workflow not found' };
      expectError(await client.get('/api/workflows/customer-onboarding?version=1.0.7'), unnumbered);
      expectError(await client.post('/api/workflow/start/customer-onboarding', { version: '7' }), unnumbered);
      const run = { status: 404, code: 'RUN_NOT_FOUND', words: 'Workflow run not found' };
      expectError(await client.get('/api/workflow/status/dynamic-workflow-1705779900000'), run);
    });

    it('"500 | Internal server error | Server-side error"', async () => {
      await client.define(PRINTED);
      // A row as no code of ours would write it.
      await holdpoint.db.pool.query(
        `UPDATE definition_versions SET body = '{"name": "broken"}' FROM definitions d WHERE d.id = definition_id AND d.workspace_id = $1`,
        [client.workspace.id],
      );
      const answer = await client.get('/api/workflow/metadata/input/customer-onboarding');
      expectError(answer, { status: 500, code: 'INTERNAL_SERVER_ERROR', words: 'Internal server error' });
      expect(answer.body.error.details).to.deep.equal([]);
    });
  });
});
