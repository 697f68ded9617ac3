// Seed 003, executions: each test quotes the sentence that it checks. The stream, schedules and webhooks have files of their
// own beside this one; the seed's printed calls are lost, so their bodies are those of API.md §3.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type Answer, type Call, call, createWorkspace, type TestWorkspace } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { mask } from '../support/seed-client.ts';
import { edges, tool } from '../support/steps.ts';

const TOOLS = [fileURLToPath(new URL('../support/tools.ts', import.meta.url))];
const END = { id: 'end', type: 'end-flow', result: '${data}' };
const GATE = { id: 'gate', type: 'approval-gate', message: 'Go on with ${data.n}?' };
const HUMAN = { id: 'human', type: 'ask-human', question: 'Which colour?', options: ['red', 'green'] };

type Body = Answer['body'];

describe('seed 003, Executions', () => {
  let holdpoint: Holdpoint;
  let receiver: Receiver;
  let workspace: TestWorkspace;
  before(async () => {
    [holdpoint, receiver] = await Promise.all([
      startHoldpoint({ withWorker: true, settings: { toolModules: TOOLS } }),
      startReceiver(),
    ]);
  });
  after(() => Promise.all([holdpoint.stop(), receiver.close()]));
  beforeEach(async () => {
    workspace = await createWorkspace(holdpoint.db);
  });

  const send = (path: string, options: Call = {}): Promise<Answer> =>
    call(`${holdpoint.address}/workspaces/${workspace.slug}/pods/default${path}`, {
      key: workspace.keys.editor,
      ...options,
    });
  const ok = async (answer: Promise<Answer>): Promise<Body> => {
    const { status, body } = await answer;
    expect(status, JSON.stringify(body)).to.be.within(200, 299);
    return body;
  };
  /** Creates a workflow of these steps, one after the other, and answers its key. */
  const define = async (...steps: { id: string }[]): Promise<string> => {
    const all = [...steps, END];
    const definition = {
      name: 'Paint',
      initialStep: all[0]!.id,
      steps: all,
      edges: edges(all.map(({ id }) => id).join(' ')),
    };
    return (await ok(send('/workflows', { body: definition }))).key;
  };
  const trigger = async (workflowId: string, input = {}): Promise<string> =>
    (await ok(send('/executions', { body: { workflowId, input } }))).id;
  const read = (id: string) => ok(send(`/executions/${id}`));
  const respond = (id: string, body: object, more: Call = {}) =>
    send(`/executions/${id}/respond`, { method: 'PATCH', body, ...more });
  const replay = (id: string, body: object, more: Call = {}) => send(`/executions/${id}/replay`, { body, ...more });
  const cancel = (id: string, more: Call = {}) => send(`/executions/${id}`, { method: 'DELETE', ...more });
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
  /** A run that is at work until the receiver lets it go. */
  const triggerHeld = async (): Promise<string> => {
    const id = await trigger(await define(tool('work', 'hang', { url: receiver.url })));
    await eventually(async () => receiver.calls.some(({ runId }) => runId === id), { what: 'the step at work' });
    return id;
  };

  describe('Executions', () => {
    it('"An Execution is a single run of a workflow"', async () => {
      const workflowId = await define(GATE);
      const [first, second] = [await trigger(workflowId, { n: 1 }), await trigger(workflowId, { n: 2 })];
      expect(first).not.to.equal(second);
      expect((await read(first)).workflowId).to.equal((await read(second)).workflowId);
    });

    it('"Each execution tracks status, timing, per-node results, and input/output"', async () => {
      const id = await trigger(await define(tool('give', 'give', { colour: 'red' }), GATE), { n: 1 });
      await until(id, 'suspended');
      await ok(respond(id, { approved: true, reason: 'fine' }));
      const execution = await until(id, 'completed');
      const [createdAt, startedAt, finishedAt] = [execution.createdAt, execution.startedAt, execution.finishedAt];
      expect([createdAt, startedAt, finishedAt].toSorted()).to.deep.equal([createdAt, startedAt, finishedAt]);
      expect(execution.nodeResults.give.durationMs).to.be.a('number');
      for (const node of Object.values<Body>(execution.nodeResults)) node.durationMs = '<ms>';
      const node = { status: 'completed', error: null, durationMs: '<ms>', attempts: 1, visit: 1 };
      const output = { n: 1, colour: 'red' };
      expect(mask(execution)).to.deep.equal({
        id: '<id>',
        workspaceId: '<id>',
        podId: '<id>',
        workflowId: '<id>',
        version: 1,
        status: 'completed',
        triggeredBy: 'api',
        error: null,
        cancellation: null,
        replayOf: null,
        createdAt: '<time>',
        startedAt: '<time>',
        finishedAt: '<time>',
        input: { n: 1 },
        output,
        nodeResults: {
          give: { ...node, output: { colour: 'red' } },
          gate: {
            ...node,
            output: {
              actionId: 'approve',
              actionValue: 'approved',
              outcome: 'approved',
              comment: 'fine',
              data: {},
              decidedBy: 'user-editor',
              decidedAt: '<time>',
            },
          },
          end: { ...node, output },
        },
        nodeResultsTruncated: false,
        variables: output,
        interrupt: null,
        interrupts: [],
        replays: [],
      });
    });
  });

  describe('Status', () => {
    it('"queued | Waiting to be picked up", which is what a trigger answers', async () => {
      const { status, body } = await send('/executions', { body: { workflowId: await define(GATE) } });
      expect([status, body.status, body.startedAt]).to.deep.equal([201, 'queued', null]);
    });

    it('"running | Actively executing"', async () => {
      const id = await triggerHeld();
      const execution = await read(id);
      expect(execution.status).to.equal('running');
      expect(execution.nodeResults.work).to.deep.include({ status: 'running', attempts: 1, output: null });
      await ok(cancel(id));
    });

    it('"suspended | Paused at an approval gate or ask-human node"', async () => {
      const id = await trigger(await define(GATE, HUMAN), { n: 3 });
      const gated = await until(id, 'suspended');
      expect(mask(gated.interrupt)).to.deep.equal({
        type: 'approval',
        id: '<id>',
        nodeId: 'gate',
        message: 'Go on with 3?',
        actions: [
          { id: 'approve', label: 'Approve', outcome: 'approved' },
          { id: 'reject', label: 'Reject', outcome: 'rejected' },
        ],
        dueAt: null,
        createdAt: '<time>',
      });
      const asked = await ok(respond(id, { approved: true }));
      expect(asked.status).to.equal('suspended');
      expect(mask(asked.interrupt)).to.deep.equal({
        type: 'question',
        id: '<id>',
        nodeId: 'human',
        message: 'Which colour?',
        options: ['red', 'green'],
        fields: { answer: { type: 'string', enum: ['red', 'green'] } },
        dueAt: null,
        createdAt: '<time>',
      });
      expect(asked.nodeResults.human.status).to.equal('suspended');
    });

    it('… and also where the input has an `answer`: each ask-human node asks', async () => {
      const again = { id: 'again', type: 'ask-human', question: 'Really {{variables.answer}}?' };
      const id = await trigger(await define(HUMAN, again), { answer: 'red' });
      expect((await until(id, 'suspended')).interrupt.nodeId).to.equal('human');
      const { interrupt } = await ok(respond(id, { answer: 'green' }));
      expect([interrupt.nodeId, interrupt.message]).to.deep.equal(['again', 'Really green?']);
      expect((await ok(respond(id, { answer: 'yes' }))).output).to.deep.equal({ answer: 'yes' });
    });

    it('"completed | Finished successfully"', async () => {
      expect(await until(await trigger(await define(), { n: 1 }), 'completed')).to.deep.include({ output: { n: 1 } });
    });

    it('"failed | Stopped due to an error"', async () => {
      const id = await trigger(await define(tool('fail', 'fail', { times: 9 }, { retry: { attempts: 1 } })));
      const { error, nodeResults } = await until(id, 'failed');
      expect(error).to.deep.equal({ code: 'flaky', message: 'not this time', nodeId: 'fail' });
      expect(nodeResults.fail.error).to.deep.equal({ code: 'flaky', message: 'not this time' });
    });

    it('"cancelled | Manually cancelled"', async () => {
      const id = await trigger(await define(GATE));
      await ok(cancel(id));
      const { status, cancellation } = await read(id);
      expect(status).to.equal('cancelled');
      expect(mask(cancellation)).to.deep.equal({ type: 'cancel', reason: null, by: 'user-editor', at: '<time>' });
    });

    it('"Cancellation is most reliable before execution starts": what is queued or suspended is cancelled at once', async () => {
      const id = await trigger(await define(GATE));
      expect((await cancel(id)).status).to.equal(204);
      expect((await read(id)).status).to.equal('cancelled');
      expect((await cancel(id)).status).to.equal(204);
      const later = { retry: { attempts: 2, delayMs: 600_000 } };
      const queued = await trigger(await define(tool('fail', 'fail', { times: 9 }, later)));
      await eventually(async () => (await read(queued)).nodeResults.fail?.status === 'queued', { what: 'a retry' });
      expect((await cancel(queued)).status).to.equal(204);
      expect((await read(queued)).status).to.equal('cancelled');
    });

    it('"Once running, it is best-effort": what runs is told, and may have completed', async () => {
      const id = await triggerHeld();
      expect((await cancel(id)).status).to.equal(204);
      await eventually(async () => receiver.calls.some(({ runId, what }) => runId === id && what === 'aborted'), {
        what: 'the step told',
      });
      const completed = await trigger(await define());
      await until(completed, 'completed');
      const over = await cancel(completed);
      expect([over.status, over.body.message]).to.deep.equal([
        409,
        'the execution is over, and takes nothing any more; replay it to run it again',
      ]);
    });
  });

  describe('API Reference', () => {
    it('"POST … /executions | Trigger a new execution (editor+)", "DELETE … | Cancel (editor+)"', async () => {
      const body = { workflowId: await define(GATE) };
      const id = await trigger(body.workflowId);
      const as = (role: 'viewer' | 'editor') => ({ key: workspace.keys[role] });
      for (const [role, expected] of [
        ['viewer', [403, 403, 403, 403]],
        ['editor', [201, 200, 201, 204]],
      ] as const) {
        const answers = [
          await send('/executions', { body, ...as(role) }),
          await respond(id, { approved: false }, as(role)),
          await replay(id, {}, as(role)),
          await cancel((await send('/executions?status=suspended')).body[0].id, as(role)),
        ];
        expect(
          answers.map(({ status }) => status),
          role,
        ).to.deep.equal(expected);
      }
    });

    it('"GET … /executions | List executions (?status=, ?workflowId=)", newest first, in pages', async () => {
      const [gate, plain] = [await define(GATE), await define()];
      const gated = [await trigger(gate), await trigger(gate)];
      const done = await trigger(plain);
      await until(done, 'completed');
      const list = async (query: string) => (await ok(send(`/executions${query}`))).map(({ id }: { id: string }) => id);
      const newest = [done, ...gated.toReversed()];
      expect(await list('')).to.deep.equal(newest);
      expect(await list('?status=suspended')).to.deep.equal(gated.toReversed());
      expect(await list('?status=completed')).to.deep.equal([done]);
      expect(await list(`?workflowId=${plain}`)).to.deep.equal([done]);
      expect(await list(`?workflowId=${gate}&status=completed`)).to.deep.equal([]);
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const { body, headers } = await send(`/executions?limit=2${cursor && `&cursor=${cursor}`}`);
        seen.push(...body.map(({ id }: { id: string }) => id));
        cursor = headers.get('x-next-cursor');
      }
      expect(seen).to.deep.equal(newest);
      for (const query of ['?status=paused', '?limit=0', '?cursor=1', '?who=me'])
        expect((await send(`/executions${query}`)).status, query).to.equal(400);
      expect((await send('/executions?workflowId=nowhere')).status).to.equal(404);
    });

    it('"GET … /executions/:id | Get execution detail", by ids or slugs, and below /v1 too', async () => {
      const id = await trigger(await define(GATE));
      const execution = await read(id);
      const { id: wId, slug } = workspace;
      for (const path of [
        `/workspaces/${wId}/pods/${wId}`,
        `/workspaces/${slug}/pods/${wId}`,
        `/v1/workspaces/${slug}/pods/default`,
      ]) {
        const { body } = await call(`${holdpoint.address}${path}/executions/${id}`, { key: workspace.keys.viewer });
        expect(body, path).to.deep.equal(execution);
      }
    });

    it('errors are {statusCode, message, error, requestId}, and say what to do', async () => {
      const { status, body } = await send('/executions', { body: { workflowId: 'nowhere' } });
      expect(status).to.equal(404);
      expect(body).to.deep.include({
        statusCode: 404,
        error: 'Not Found',
        message: 'Workflow "nowhere" does not exist',
      });
      expect(body.requestId).to.be.a('string');
      const strict = {
        name: 'Strict',
        initialStep: 'end',
        steps: [END],
        edges: [],
        payload: { n: { type: 'number' } },
      };
      const { key } = await ok(send('/workflows', { body: strict }));
      const wrong = await send('/executions', { body: { workflowId: key, input: { n: 'x' } } });
      expect([wrong.status, wrong.body.details[0].pointer]).to.deep.equal([400, '/input/n']);
    });

    it('says what triggered it: the API, the SDK, a person in the console', async () => {
      const workflowId = await define(GATE);
      for (const [client, triggeredBy] of [
        ['', 'api'],
        ['sdk', 'sdk'],
        ['console', 'manual'],
        ['owner', 'api'],
      ]) {
        const headers = { 'x-holdpoint-client': client! };
        const { body } = await send('/executions', { body: { workflowId }, headers });
        expect(body.triggeredBy).to.equal(triggeredBy);
      }
    });
  });

  it('works as the lines of the README have it, pasted into a shell', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    const section = /### Executions[\s\S]*?(?=\n### )/.exec(readme)![0];
    const lines = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block).join('');
    const env = { PATH: process.env['PATH'], H: holdpoint.address, KEY: workspace.keys.admin };
    const script = lines.replaceAll('/workspaces/default', `/workspaces/${workspace.slug}`);
    const { stdout } = await promisify(execFile)('sh', ['-ec', script], { encoding: 'utf8', env });
    const said = stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
    expect(said.map(({ status, name }) => status ?? name)).to.deep.equal([
      'draft',
      'suspended',
      'suspended',
      'completed',
      'queued',
      'Team A',
      'team a',
    ]);
    expect(said[1].interrupt.message).to.equal('Release 1.4?');
    expect(said[3].output).to.equal('1.4 goes to testers');
    expect(stdout).to.include(
      'data: {"type":"execution_complete","status":"completed","output":"1.4 goes to testers"}',
    );
    expect(said[4].nodeResults).to.have.keys('gate');
    expect(said[6].podId).to.equal(said[5].id);
  });

  describe('{{…}} in the definitions of this face', () => {
    const spelt = {
      name: 'Spelt',
      initialStep: 'give',
      steps: [
        tool('give', 'give', { colour: '{{input.colour}}', size: '{{ variables.size }}' }),
        { ...GATE, message: 'Paint {{lastOutput.colour}}, for ${{input.price}}?' },
        { id: 'end', type: 'end-flow', result: { size: '{{variables.size}}', who: '{{lastOutput.decidedBy}}' } },
        { id: 'small', type: 'end-flow', result: 'too small' },
      ],
      edges: [
        { from: 'give', to: 'gate', condition: '{{lastOutput.size}} > 1' },
        { from: 'give', to: 'small', default: true },
        { from: 'gate', to: 'end' },
      ],
    };

    it('means the same paths as ${…}, which is how it is stored and shown', async () => {
      const { key, steps, edges: links } = await ok(send('/workflows', { body: spelt }));
      expect([steps[0].args, steps[1].message, steps[2].result, links[0].condition]).to.deep.equal([
        { colour: '${data.colour}', size: '${data.size}' },
        'Paint ${steps.give.output.colour}, for ${"$"}${data.price}?',
        { size: '${data.size}', who: '${steps.gate.output.decidedBy}' },
        'steps.give.output.size > 1',
      ]);
      const id = await trigger(key, { colour: 'red', size: 2 });
      expect((await until(id, 'suspended')).interrupt.message).to.equal('Paint red, for $?');
      expect((await ok(respond(id, { approved: true }))).output).to.deep.equal({ size: 2, who: 'user-editor' });
      expect((await until(await trigger(key, { size: 1 }), 'completed')).output).to.equal('too small');
    });

    it('is read in what an update brings, as it then hangs together, and refused with its place', async () => {
      const { key } = await ok(send('/workflows', { body: spelt }));
      const update = (body: object) => send(`/workflows/${key}`, { method: 'PUT', body });
      const { edges: links } = await ok(update({ edges: [...spelt.edges, { from: 'give', to: 'end' }] }));
      expect(links).to.have.length(4);
      const { status, body } = await update({ steps: spelt.steps, output: '{{input.colour' });
      expect(status).to.equal(400);
      expect(body.details.map(({ pointer }: { pointer: string }) => pointer)).to.deep.equal([
        '/steps/2/result/who',
        '/output',
      ]);
      const elsewhere = { ...spelt, name: '{{name}}', steps: [{ ...END, result: '{{input.n}}' }], edges: [] };
      const other = await call(`${holdpoint.address}/api/workflows`, {
        key: workspace.keys.editor,
        body: { ...elsewhere, initialStep: 'end' },
      });
      expect(other.body.steps[0].result, 'another face').to.equal('{{input.n}}');
    });
  });

  describe('Resuming Suspended Executions', () => {
    it('"When an execution is suspended at an approval gate or ask-human node, resume it with": approved, answer, data', async () => {
      const form = {
        id: 'form',
        type: 'collect-inputs',
        output: { size: { type: 'integer' }, note: { type: 'string', required: false } },
      };
      const id = await trigger(await define(GATE, HUMAN, form), { n: 1 });
      expect((await ok(respond(id, { approved: true, reason: 'go' }))).status).to.equal('suspended');
      expect((await ok(respond(id, { answer: 'green' }))).status).to.equal('suspended');
      const { output } = await ok(respond(id, { data: { size: 5 } }));
      expect(output).to.deep.equal({ n: 1, answer: 'green', size: 5 });
    });

    it('"Or reject it": the execution fails with the reason, unless its workflow leads on', async () => {
      const id = await trigger(await define(GATE));
      const { status, error } = await ok(respond(id, { approved: false, reason: 'too dear' }));
      expect(status).to.equal('failed');
      expect(error).to.deep.equal({
        code: 'approval_rejected',
        message: 'Step "gate" was rejected: too dear',
        nodeId: 'gate',
      });
      const routed = {
        name: 'Routed',
        initialStep: 'gate',
        steps: [GATE, { id: 'again', type: 'ask-human', question: 'Why?' }, END],
        edges: [
          { from: 'gate', to: 'end', on: 'approved' },
          { from: 'gate', to: 'again', on: 'rejected' },
        ],
      };
      const { key } = await ok(send('/workflows', { body: routed }));
      const { status: next, interrupt } = await ok(respond(await trigger(key), { approved: false }));
      expect([next, interrupt.nodeId]).to.deep.equal(['suspended', 'again']);
    });

    it('chooses the first action of the outcome, or the action that is named', async () => {
      const actions = [
        { id: 'hm', label: 'Hm' },
        { id: 'fine', label: 'Fine', outcome: 'approved' },
        { id: 'great', label: 'Great', outcome: 'approved', fields: { stars: { type: 'integer' } } },
      ];
      const workflow = await define({ ...GATE, actions } as { id: string });
      const decide = async (body: object) => {
        const { status, body: answered } = await respond(await trigger(workflow), body);
        return [status, answered.nodeResults?.gate.output?.actionId ?? answered.details[0].pointer];
      };
      expect(await decide({ approved: true })).to.deep.equal([200, 'fine']);
      expect(await decide({ approved: false })).to.deep.equal([400, '/approved']);
      expect(await decide({ actionId: 'hm' })).to.deep.equal([200, 'hm']);
      expect(await decide({ actionId: 'great', data: { stars: 5 } })).to.deep.equal([200, 'great']);
      expect(await decide({ actionId: 'great', data: { stars: 'many' } })).to.deep.equal([400, '/data/stars']);
    });

    it('refuses a wrong or missing answer with 400, and loses nothing: the right one may follow', async () => {
      const id = await trigger(await define(HUMAN));
      for (const [body, pointer] of [
        [{}, '/approved'],
        [{ answer: 'blue' }, '/answer'],
        [{ answer: 'red', approved: true }, '/answer'],
        [{ answer: 'red', reason: 'x' }, '/reason'],
        [{ approved: 'yes' }, '/approved'],
        [{ data: {} }, '/data/answer'],
        [{ answer: 'red', who: 'me' }, '/who'],
      ] as const) {
        const { status, body: error } = await respond(id, body);
        expect([status, error.details[0].pointer], JSON.stringify(body)).to.deep.equal([400, pointer]);
      }
      expect((await ok(respond(id, { answer: 'red' }))).output).to.deep.equal({ answer: 'red' });
    });

    it('answers 409 when it is not suspended, was answered before, or several nodes ask and none is named', async () => {
      const workflow = {
        name: 'Two',
        initialStep: 'both',
        steps: [{ id: 'both', type: 'transform', output: {} }, GATE, { ...GATE, id: 'second' }, END],
        edges: edges('both gate end', 'both second end'),
      };
      const id = await trigger((await ok(send('/workflows', { body: workflow }))).key);
      const several = await respond(id, { approved: true });
      expect(several.status).to.equal(409);
      expect(several.body.message).to.equal('several nodes ask for this; say which one with nodeId');
      expect(several.body.details.map(({ pointer }: { pointer: string }) => pointer)).to.deep.equal([
        '/nodeId',
        '/nodeId',
      ]);
      expect((await read(id)).interrupts).to.have.length(2);
      expect((await ok(respond(id, { approved: true, nodeId: 'second' }))).status).to.equal('suspended');
      expect((await respond(id, { approved: true, nodeId: 'second' })).status).to.equal(409);
      expect((await ok(respond(id, { approved: true }))).status).to.equal('completed');
      expect((await respond(id, { approved: true })).status).to.equal(409);
    });

    it('takes one of many answers at the same moment, and the same request twice as once', async () => {
      const workflow = await define(GATE);
      const id = await trigger(workflow);
      const racing = await Promise.all([true, false, true, false].map((approved) => respond(id, { approved })));
      expect(racing.map(({ status }) => status).sort()).to.deep.equal([200, 409, 409, 409]);
      const other = await trigger(workflow);
      const headers = { 'idempotency-key': 'once' };
      const answers = [
        await respond(other, { approved: true }, { headers }),
        await respond(other, { approved: true }, { headers }),
      ];
      expect(answers.map(({ status }) => status)).to.deep.equal([200, 200]);
      expect(answers[1]!.headers.get('idempotent-replayed')).to.equal('true');
    });
  });

  describe('Replay', () => {
    it('"Re-run a completed, failed, or cancelled execution": as a new one, bound to the same version and input', async () => {
      const workflow = await define(GATE);
      const [completed, failed, cancelled] = [
        await trigger(workflow, { n: 1 }),
        await trigger(workflow, { n: 2 }),
        await trigger(workflow, { n: 3 }),
      ];
      await ok(respond(completed, { approved: true }));
      await ok(respond(failed, { approved: false }));
      await ok(cancel(cancelled));
      await ok(send(`/workflows/${workflow}`, { method: 'PUT', body: { description: 'newer' } }));
      for (const [index, id] of [completed, failed, cancelled].entries()) {
        const { status, body } = await replay(id, {});
        expect([status, body.status, body.triggeredBy, body.replayOf]).to.deep.equal([201, 'queued', 'replay', id]);
        expect([body.version, body.input]).to.deep.equal([1, { n: index + 1 }]);
        expect((await read(id)).replays).to.deep.equal([body.id]);
        expect((await until(body.id, 'suspended')).replays).to.deep.equal([]);
      }
    });

    it('"Omit fromNodeId to replay from the beginning with the original input"; with it, what came before is not run again', async () => {
      const id = await trigger(
        await define(tool('work', 'effect', { url: receiver.url }), tool('give', 'give', { c: 1 }), GATE),
        { n: 1 },
      );
      await until(id, 'suspended');
      await ok(respond(id, { approved: false }));
      const whole = (await ok(replay(id, {}))).id;
      await until(whole, 'suspended');
      const { id: part, nodeResults } = await ok(replay(id, { fromNodeId: 'gate' }));
      expect(nodeResults.work).to.deep.include({ status: 'completed', attempts: 0, replayed: true });
      expect(nodeResults.give).to.deep.include({ output: { c: 1 }, replayed: true });
      const { variables, interrupt } = await until(part, 'suspended');
      expect([variables, interrupt.nodeId]).to.deep.equal([{ n: 1, c: 1 }, 'gate']);
      expect((await ok(respond(part, { approved: true }))).output).to.deep.equal({ n: 1, c: 1 });
      const effects = (wanted: string) => receiver.calls.filter(({ runId }) => runId === wanted).length;
      expect([id, whole, part].map(effects)).to.deep.equal([1, 1, 0]);
    });

    it('answers 409 for one that is not over, 400 for a node that is unknown or was never reached, once per request', async () => {
      const id = await trigger(await define(GATE, HUMAN));
      expect((await replay(id, {})).status).to.equal(409);
      await ok(cancel(id));
      for (const fromNodeId of ['human', 'nowhere', '']) {
        const { status, body } = await replay(id, { fromNodeId });
        expect([status, body.details[0].pointer], fromNodeId).to.deep.equal([400, '/fromNodeId']);
      }
      const headers = { 'idempotency-key': 'again' };
      const [first, second] = [await replay(id, {}, { headers }), await replay(id, {}, { headers })];
      expect(first.body.id).to.equal(second.body.id);
      expect((await read(id)).replays).to.deep.equal([first.body.id]);
    });
  });
});
