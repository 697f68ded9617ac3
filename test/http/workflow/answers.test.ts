import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';

const CHOICE = { enum: ['small', 'large'] };
const ASKING = {
  name: 'Asking',
  initialStep: 'ask',
  steps: [
    { id: 'ask', type: 'collect-inputs', output: { size: CHOICE, note: { type: 'string', required: false } } },
    {
      id: 'approve',
      type: 'request-user-action',
      actions: [
        { id: 'approve', label: 'Approve' },
        { id: 'reject', label: 'Reject' },
      ],
    },
    { id: 'rest', type: 'wait', durationMs: 3_600_000 },
    { id: 'end', type: 'end-flow' },
  ],
  edges: [
    { from: 'ask', to: 'approve' },
    { from: 'approve', to: 'rest' },
    { from: 'rest', to: 'end' },
  ],
};
const FIELDS = { type: 'collect_inputs', data: { size: 'small' } };
const APPROVAL = { type: 'request_user_action', actionId: 'approve' };

describe('an answer that nobody waits for, or that does not fit (S-74)', () => {
  let holdpoint: Holdpoint;
  before(async () => {
    holdpoint = await startHoldpoint();
    await holdpoint.define(ASKING);
  });
  after(() => holdpoint.stop());

  const resume = (runId: string, body: object) => holdpoint.ask(`/api/workflow/resume/${runId}`, { body });
  const start = () => holdpoint.start('asking');
  /** A run that has been answered so far. */
  const startAnswered = async (...answers: object[]) => {
    const runId = await start();
    for (const answer of answers) expect((await resume(runId, answer)).status).to.equal(200);
    return runId;
  };
  const end = async (how: 'cancel' | 'terminate') => {
    const runId = await start();
    const { status } = await holdpoint.ask(`/api/workflow/management/${how}`, { body: { runId } });
    expect(status).to.equal(200);
    return runId;
  };

  const unfit: [string, object, string][] = [
    ['an action that is not offered', { ...APPROVAL, actionId: 'pay' }, '/actionId'],
    ['an action that is no text', { ...APPROVAL, actionId: 7 }, '/actionId'],
  ];
  for (const [what, answer, pointer] of unfit) {
    it(`is 400 with ${what}, and the run waits on`, async () => {
      const runId = await startAnswered(FIELDS);
      const { status, body } = await resume(runId, answer);
      expect([status, body.error.details[0].pointer]).to.deep.equal([400, pointer]);
      expect((await resume(runId, APPROVAL)).status).to.equal(200);
    });
  }

  const unfitFields: [string, object, string][] = [
    ['no field that is required', {}, '/data/size'],
    ['a field of another type', { size: 'small', note: 7 }, '/data/note'],
    ['a value that is no option', { size: 'huge' }, '/data/size'],
    ['a field that nobody asked for', { size: 'small', isAdmin: true }, '/data/isAdmin'],
  ];
  for (const [what, data, pointer] of unfitFields) {
    it(`is 400 with ${what}, and the run waits on`, async () => {
      const runId = await start();
      const { status, body } = await resume(runId, { ...FIELDS, data });
      expect([status, body.error.details.map(({ pointer }: { pointer: string }) => pointer)]).to.deep.equal([
        400,
        [pointer],
      ]);
      expect((await resume(runId, FIELDS)).status).to.equal(200);
    });
  }

  it('is 400 where the type is none that there is, and 409 where it is that of another pause', async () => {
    const runId = await start();
    expect((await resume(runId, { type: 'wish', data: {} })).status).to.equal(400);
    expect((await resume(runId, APPROVAL)).status).to.equal(409);
    expect((await resume(runId, FIELDS)).status).to.equal(200);
  });

  it('is 409 to a run that works on, and to one that was cancelled or terminated', async () => {
    const running = await startAnswered(FIELDS, APPROVAL);
    for (const runId of [running, await end('cancel'), await end('terminate')]) {
      const { status, body } = await resume(runId, FIELDS);
      expect([status, body.success]).to.deep.equal([409, false]);
    }
  });

  it('is 409 to a run that has completed', async () => {
    await holdpoint.define({
      ...ASKING,
      name: 'Short',
      steps: [ASKING.steps[0], ASKING.steps[3]],
      edges: [{ from: 'ask', to: 'end' }],
    });
    const runId = await holdpoint.start('short', { size: 'small' });
    expect((await resume(runId, FIELDS)).status).to.equal(409);
  });

  it('is 409 to a step that is answered already, by its id and by the id of its pause', async () => {
    const runId = await start();
    const { body } = await holdpoint.ask(`/api/workflow/status/${runId}`);
    const { id: pauseId, stepId } = body.pauseSignal;
    expect((await resume(runId, { ...FIELDS, pauseId })).status).to.equal(200);
    for (const target of [{ stepId }, { pauseId }, { stepId, pauseId }])
      expect((await resume(runId, { ...FIELDS, ...target })).status, JSON.stringify(target)).to.equal(409);
    expect((await resume(runId, APPROVAL)).status).to.equal(200);
  });
});

describe('an approval that names who may decide (S-30)', () => {
  let holdpoint: Holdpoint;
  before(async () => {
    holdpoint = await startHoldpoint({ withWorker: true });
  });
  after(() => holdpoint.stop());

  const decide = (runId: string, role: 'editor' | 'admin') =>
    holdpoint.ask(`/api/workflow/resume/${runId}`, { body: APPROVAL, key: holdpoint.workspace.keys[role] });
  const define = (rest: object) =>
    holdpoint.define({
      name: 'Expenses',
      initialStep: 'approve',
      steps: [
        { id: 'approve', type: 'request-user-action', assignees: '${data.approvers}', ...rest },
        { id: 'end', type: 'end-flow' },
      ],
      edges: [{ from: 'approve', to: 'end' }],
    });

  it('is 403 to everybody else, who asked for it included, and is still open to those it names', async () => {
    const runId = await holdpoint.start(await define({}), { approvers: ['user-admin'] });
    const { status, body } = await decide(runId, 'editor');
    expect([status, body.error.code]).to.deep.equal([403, 'FORBIDDEN']);
    expect((await decide(runId, 'admin')).status).to.equal(200);
  });

  it('is 409 once it is decided, cancelled or has run out, also to those it names', async () => {
    const workflow = await define({});
    const [decided, cancelled] = [
      await holdpoint.start(workflow, { approvers: ['user-admin'] }),
      await holdpoint.start(workflow, { approvers: ['user-admin'] }),
    ];
    expect((await decide(decided, 'admin')).status).to.equal(200);
    await holdpoint.ask('/api/workflow/management/cancel', { body: { runId: cancelled } });
    const late = await holdpoint.start(await define({ dueInMs: 1 }), { approvers: ['user-admin'] });
    const hasFailed = async () => (await holdpoint.ask(`/api/workflow/status/${late}`)).body.status === 'failed';
    await eventually(hasFailed);
    for (const runId of [decided, cancelled, late]) expect((await decide(runId, 'admin')).status).to.equal(409);
  });
});
