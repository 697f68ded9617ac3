// Seed 000's section "Durability", on real processes: each test quotes what it checks, and ends with a run that was there
// before having been carried to its end. Together they are seed 001's "Workflows run on a durable execution backend that
// supports long-running processes with pause/resume capabilities".

import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Deployment, startDeployment } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createSeedClient, type SeedClient } from '../support/seed-client.ts';
import { edges, tool } from '../support/steps.ts';

const TOOLS = fileURLToPath(new URL('../support/tools.ts', import.meta.url));
const ANSWER = { type: 'collect_inputs', data: { approvalReason: 'Budget approved for Q1', approvedAmount: 10000 } };

describe('seed 000, Durability: "Workflows are durable and survive"', () => {
  let deployment: Deployment;
  let receiver: Receiver;
  let client: SeedClient;

  before(async () => {
    receiver = await startReceiver();
    deployment = await startDeployment({ HOLDPOINT_TOOLS: TOOLS, DRAIN_MS: '500' });
    client = await createSeedClient(deployment.db, deployment.address);
    await client.define({
      name: 'Budget',
      initialStep: 'prepare',
      steps: [
        tool('prepare', 'give', { prepared: '${data.department}' }),
        {
          id: 'approval-inputs',
          type: 'collect-inputs',
          output: { approvalReason: { type: 'string' }, approvedAmount: { type: 'number' } },
        },
        tool('book', 'effect', { url: receiver.url }),
        { id: 'end-1', type: 'end-flow', result: { booked: '${data.approvedAmount}' } },
      ],
      edges: edges('prepare approval-inputs book end-1'),
    });
  });
  after(async () => {
    await deployment?.stop();
    await receiver.close();
  });

  async function startPaused(): Promise<string> {
    const runId = await client.start('budget', { department: 'Engineering' });
    await client.until(runId, 'paused');
    return runId;
  }

  async function startBooking(): Promise<string> {
    const runId = await startPaused();
    receiver.hold();
    expect((await client.resume(runId, ANSWER)).status).to.equal(200);
    await eventually(() => receiver.calls.some((call) => call.runId === runId));
    return runId;
  }

  async function expectCompletion(runId: string): Promise<void> {
    const { result, stepExecutionHistory } = await client.until(runId, 'completed');
    expect(result).to.deep.equal({ booked: 10000 });
    expect(
      stepExecutionHistory.map((step: { stepId: string; status: string }) => [step.stepId, step.status]),
    ).to.deep.equal([
      ['prepare', 'completed'],
      ['approval-inputs', 'completed'],
      ['book', 'completed'],
      ['end-1', 'completed'],
    ]);
    const keys = receiver.calls.filter((call) => call.runId === runId && call.what === 'effect').map(({ key }) => key);
    expect(new Set(keys)).to.have.property('size', 1);
  }

  it('"Server restarts": every process is killed while one run is paused and another works, Redis coming back empty', async () => {
    const [paused, working] = [await startPaused(), await startBooking()];
    await deployment.killEverything();
    receiver.release();
    await deployment.startEverything();
    await expectCompletion(working);
    expect((await client.status(paused)).status).to.equal('paused');
    expect((await client.resume(paused, ANSWER)).status).to.equal(200);
    await expectCompletion(paused);
  });

  it('"Deployments": new processes replace those that were asked to end, and take over what these did not finish', async () => {
    const [paused, working] = [await startPaused(), await startBooking()];
    await deployment.redeploy();
    receiver.release();
    await expectCompletion(working);
    await client.resume(paused, ANSWER);
    await expectCompletion(paused);
  });

  it('"Network interruptions": Postgres and Redis are out of reach for a while', async () => {
    const [paused, working] = [await startPaused(), await startBooking()];
    await deployment.network.cut();
    receiver.release();
    const refused = await client.resume(paused, ANSWER);
    expect([refused.status, refused.headers.get('retry-after') !== null]).to.deep.equal([503, true]);
    await deployment.network.mend();
    await expectCompletion(working);
    await eventually(async () => [200, 409].includes((await client.resume(paused, ANSWER)).status));
    await expectCompletion(paused);
  });

  it('"All execution state is persisted and recoverable": a status says the same before and after', async () => {
    const paused = await startPaused();
    const finished = await startPaused();
    await client.resume(finished, ANSWER);
    await client.until(finished, 'completed');
    const before = [await client.status(paused), await client.status(finished)];
    await deployment.killEverything();
    await deployment.startEverything();
    expect([await client.status(paused), await client.status(finished)]).to.deep.equal(before);
  });
});
