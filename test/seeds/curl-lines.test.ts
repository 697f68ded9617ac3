// Every curl line of seeds 000 and 001, verbatim: only the host, the credentials, the ids and the names of files are ours.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { SignJWT } from 'jose';
import type { Answer } from '../support/api.ts';
import { runCurl } from '../support/curl.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { createSeedClient, mask, type SeedClient } from '../support/seed-client.ts';
import { edges, tool } from '../support/steps.ts';

const TOOLS = [fileURLToPath(new URL('../support/tools.ts', import.meta.url))];
const END = { id: 'end-1', type: 'end-flow' };
const REPORT = {
  id: 'approval-inputs',
  type: 'collect-inputs',
  output: { approvalReason: { type: 'string' }, approvedAmount: { type: 'number' } },
};
const DECISION = { id: 'manager-approval', type: 'request-user-action' };
/** The smallest file that is a PDF to everybody who looks. */
const PDF = '%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n';

describe('the curl lines of the seeds', () => {
  let holdpoint: Holdpoint;
  let client: SeedClient;
  let folder: string;
  let token: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdpoint-curl-'));
    await writeFile(join(folder, 'document.pdf'), PDF);
    const settings = { toolModules: TOOLS, secretKeys: [randomBytes(32)], dataDir: folder };
    holdpoint = await startHoldpoint({ withWorker: true, settings });
  });
  after(async () => {
    await holdpoint.stop();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    client = await createSeedClient(holdpoint.db, () => holdpoint.address);
    const key = await client.post(
      `/workspaces/${client.workspace.slug}/signing-keys`,
      { name: 'frontend', role: 'editor', algorithm: 'HS256' },
      'owner',
    );
    token = await new SignJWT({ sub: 'john' })
      .setProtectedHeader({ alg: 'HS256', kid: key.body.id })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(key.body.secret));
  });

  /** Sends a line of a seed about this run, or about the workflow "customer-onboarding". */
  const curl = (line: string, runId = 'no-run'): Promise<Answer> =>
    runCurl(line, {
      variables: { RUN_ID: runId, WORKFLOW_ID: 'customer-onboarding', YOUR_JWT: token },
      replaced: {
        'https://service.ensembleapp.ai': holdpoint.address,
        sk_your_api_key: client.workspace.keys.editor,
        your_tenant_id: client.workspace.slug,
        your_jwt_token: token,
        'dynamic-workflow-1705779900000': runId,
        '/path/to/document.pdf': join(folder, 'document.pdf'),
        './contracts/agreement.pdf': join(folder, 'document.pdf'),
      },
    });
  const define = (...steps: { id: string }[]) =>
    client.define({
      name: 'Customer Onboarding',
      initialStep: [...steps, END][0]!.id,
      steps: [...steps, END],
      edges: edges([...steps, END].map(({ id }) => id).join(' ')),
    });
  const expectCompleted = ({ status, body }: Answer, data: object) =>
    expect({ status, body: mask(body) }).to.deep.equal({
      status: 200,
      body: { runId: '<id>', status: 'completed', data, result: { success: true } },
    });

  it('seed 000, "Poll the status endpoint to track execution"', async () => {
    await define(tool('send-email-1', 'noop'));
    const runId = await client.start('customer-onboarding');
    const line = `curl https://service.ensembleapp.ai/api/workflow/status/\${RUN_ID} \\
-H "x-api-key: sk_your_api_key" \\
-H "x-tenant-id: your_tenant_id"`;
    expect((await curl(line, runId)).body).to.include({ runId, workflowId: 'customer-onboarding' });
  });

  it('seed 000, "Resume with data"', async () => {
    await define(REPORT);
    const runId = await client.start('customer-onboarding');
    const line = `curl -X POST https://service.ensembleapp.ai/api/workflow/resume/\${RUN_ID} \\
-H "x-api-key: sk_your_api_key" \\
-H "x-tenant-id: your_tenant_id" \\
-H "Content-Type: application/json" \\
-d '{
"type": "collect_inputs",
"data": {
"approvalReason": "Budget approved for Q1",
"approvedAmount": 10000
}
}'`;
    const { status, body } = await curl(line, runId);
    expect({ status, body }).to.deep.equal({ status: 200, body: { runId, status: 'completed' } });
  });

  it('seed 000, "Resume with action"', async () => {
    await define(DECISION);
    const runId = await client.start('customer-onboarding');
    const line = `curl -X POST https://service.ensembleapp.ai/api/workflow/resume/\${RUN_ID} \\
-H "x-api-key: sk_your_api_key" \\
-H "x-tenant-id: your_tenant_id" \\
-H "Content-Type: application/json" \\
-d '{
"type": "request_user_action",
"actionId": "approve",
"actionValue": "approved"
}'`;
    const { status, body } = await curl(line, runId);
    expect({ status, body }).to.deep.equal({ status: 200, body: { runId, status: 'completed' } });
  });

  it('seed 000, "Cancel - Request graceful shutdown"', async () => {
    await define(DECISION);
    const runId = await client.start('customer-onboarding');
    const line = `curl -X POST https://service.ensembleapp.ai/api/workflow/management/cancel \\
-H "x-api-key: sk_your_api_key" \\
-H "x-tenant-id: your_tenant_id" \\
-H "Content-Type: application/json" \\
-d '{
"workflowId": "customer-onboarding",
"runId": "dynamic-workflow-1705779900000",
"reason": "User requested cancellation"
}'`;
    const { status, body } = await curl(line, runId);
    expect(status).to.equal(200);
    expect(body.data.cancellation).to.include({ type: 'cancel', reason: 'User requested cancellation' });
  });

  it('seed 000, "Terminate - Force-kill immediately"', async () => {
    await define(DECISION);
    const runId = await client.start('customer-onboarding');
    const line = `curl -X POST https://service.ensembleapp.ai/api/workflow/management/terminate \\
-H "x-api-key: sk_your_api_key" \\
-H "x-tenant-id: your_tenant_id" \\
-H "Content-Type: application/json" \\
-d '{
"workflowId": "customer-onboarding",
"runId": "dynamic-workflow-1705779900000",
"reason": "Workflow unresponsive"
}'`;
    const { status, body } = await curl(line, runId);
    expect(status).to.equal(200);
    expect(body.data).to.deep.include({ runId, status: 'cancelled' });
  });

  it('seed 000, "Provide input data when starting a workflow"', async () => {
    await define();
    const line = `curl -X POST https://service.ensembleapp.ai/api/workflow/start/\${WORKFLOW_ID} \\
-H "x-api-key: sk_your_api_key" \\
-H "x-tenant-id: your_tenant_id" \\
-H "Content-Type: application/json" \\
-d '{
"data": {
"vendorId": "vendor-123",
"budget": 50000,
"department": "Engineering",
"priority": "high"
}
}'`;
    expectCompleted(await curl(line), {
      vendorId: 'vendor-123',
      budget: 50000,
      department: 'Engineering',
      priority: 'high',
    });
  });

  it('seed 001, "API Key (server-to-server)"', async () => {
    await define();
    const line = `curl -X POST https://service.ensembleapp.ai/api/workflow/start/\${WORKFLOW_ID} \\
-H "x-api-key: sk_your_api_key" \\
-H "x-tenant-id: your_tenant_id" \\
-H "Content-Type: application/json" \\
-d '{"data": {"customerName": "John Doe"}}'`;
    expectCompleted(await curl(line), { customerName: 'John Doe' });
  });

  it('seed 001, "Signed JWT (frontend integrations)"', async () => {
    await define();
    const line = `curl -X POST https://service.ensembleapp.ai/api/workflow/start/\${WORKFLOW_ID} \\
-H "Authorization: Bearer your_jwt_token" \\
-H "Content-Type: application/json" \\
-d '{"data": {"customerName": "John Doe"}}'`;
    expectCompleted(await curl(line), { customerName: 'John Doe' });
  });

  describe('that upload a file', () => {
    const expectUploaded = (answer: Answer, fields: object) => {
      const { attachment, ...data } = answer.body.data;
      expect(attachment.fileId).to.equal(data.fileId);
      expectCompleted({ ...answer, body: { ...answer.body, data } }, { ...fields, fileId: '<id>' });
    };

    it('seed 001, "With Signed JWT"', async () => {
      await define();
      const line = `curl -X POST "https://service.ensembleapp.ai/api/workflow/start/\${WORKFLOW_ID}" \\
-H "Authorization: Bearer \${YOUR_JWT}" \\
-F "attachment=@/path/to/document.pdf" \\
-F "customerName=John Doe" \\
-F "documentType=invoice"`;
      expectUploaded(await curl(line), { customerName: 'John Doe', documentType: 'invoice' });
    });

    it('seed 001, "With API Key"', async () => {
      await define();
      const line = `curl -X POST "https://service.ensembleapp.ai/api/workflow/start/\${WORKFLOW_ID}" \\
-H "x-api-key: sk_your_api_key" \\
-H "x-tenant-id: your_tenant_id" \\
-F "attachment=@/path/to/document.pdf" \\
-F "param1=value1" \\
-F "param2=value2"`;
      expectUploaded(await curl(line), { param1: 'value1', param2: 'value2' });
    });

    it('seed 001, "Upload a PDF for processing"', async () => {
      await define();
      const line = `curl -X POST "https://service.ensembleapp.ai/api/workflow/start/\${WORKFLOW_ID}" \\
-H "Authorization: Bearer \${YOUR_JWT}" \\
-F "attachment=@./contracts/agreement.pdf" \\
-F "extractionType=full" \\
-F "outputFormat=json"`;
      expectUploaded(await curl(line), { extractionType: 'full', outputFormat: 'json' });
    });
  });
});
