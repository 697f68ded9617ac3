import { expect } from 'chai';
import type { RunStatus, StepRunStatus } from '../../../src/core/run.ts';
import {
  presentError,
  presentRunStatus,
  presentStarted,
  presentStatusWord,
  presentVersion,
} from '../../../src/http/workflow/present.ts';
import type { PauseView, RunHistory, RunView, StepView } from '../../../src/store/run-views.ts';

const AT = Date.UTC(2026, 0, 20, 15, 45);

function makeRun(change: Partial<RunView & RunHistory> = {}): RunView & RunHistory {
  return {
    id: 'r',
    definitionId: 'd',
    definitionKey: 'onboarding',
    version: 3,
    status: 'running',
    open: [],
    data: { a: 1 },
    result: null,
    error: null,
    cancellation: null,
    holdReason: null,
    createdAt: AT,
    startedAt: null,
    finishedAt: null,
    pauses: [],
    steps: [],
    truncated: false,
    next: null,
    lastStepId: null,
    ...change,
  };
}

function makeStep(status: StepRunStatus, change: Partial<StepView> = {}): StepView {
  return {
    stepId: 's',
    visit: 1,
    type: 'call-tool',
    status,
    attempt: 1,
    input: null,
    output: null,
    error: null,
    createdAt: AT,
    startedAt: null,
    finishedAt: null,
    position: '1.s.1',
    ...change,
  };
}

const pause: PauseView = {
  id: 'p',
  stepId: 'ask',
  spec: { type: 'request_user_action', actions: [{ id: 'ok', label: 'OK', value: 'v', outcome: 'approved' }] },
  dueAt: AT,
  openedAt: AT,
};

describe('the words of the workflow face', () => {
  it('has a word for every status', () => {
    const words: Record<RunStatus, string> = {
      queued: 'running',
      running: 'running',
      waiting: 'paused',
      held: 'paused',
      completed: 'completed',
      failed: 'failed',
      cancelled: 'cancelled',
    };
    for (const [status, word] of Object.entries(words)) expect(presentStatusWord(status as RunStatus)).to.equal(word);
  });

  it('answers a start by how far the run came', () => {
    expect(presentStarted(makeRun({ status: 'queued' }))).to.deep.equal({
      status: 202,
      body: { runId: 'r', status: 'running' },
    });
    expect(presentStarted(makeRun({ status: 'completed', result: [1] })).body).to.deep.equal({
      runId: 'r',
      status: 'completed',
      data: { a: 1 },
      result: [1],
    });
    const error = { code: 'boom', message: 'It broke', step: 's' };
    expect(presentStarted(makeRun({ status: 'failed', error }))).to.deep.equal({
      status: 200,
      body: { runId: 'r', status: 'failed', data: { a: 1 }, error: { code: 'boom', message: 'It broke', stepId: 's' } },
    });
    const cancellation = { type: 'terminate', by: 'ada', at: AT } as const;
    expect(presentStarted(makeRun({ status: 'cancelled', cancellation })).body).to.deep.equal({
      runId: 'r',
      status: 'cancelled',
      data: { a: 1 },
      cancellation: { type: 'terminate', reason: null, by: 'ada', at: '2026-01-20T15:45:00.000Z' },
    });
  });

  it('shows an operator’s hold before the pauses behind it', () => {
    const body = presentStarted(makeRun({ status: 'held', holdReason: 'quarter end', pauses: [pause] })).body as Record<
      string,
      unknown
    >;
    const action = {
      type: 'request_user_action',
      stepId: 'ask',
      actions: [{ id: 'ok', label: 'OK' }],
      id: 'p',
      dueAt: '2026-01-20T15:45:00.000Z',
    };
    const hold = { type: 'hold', reason: 'quarter end' };
    expect(body['pauseSignal']).to.deep.equal(hold);
    expect(body['pauseSignals']).to.deep.equal([hold, action]);
  });

  it('lists open pauses, but signals none while other branches run', () => {
    const shown = presentRunStatus(
      makeRun({
        pauses: [pause],
        open: [
          { step: 'ask', visit: 1, status: 'waiting' },
          { step: 'work', visit: 1, status: 'running' },
        ],
      }),
      new Map(),
    ) as Record<string, unknown>;
    expect(shown).to.deep.include({ status: 'running', currentStepId: 'work', pauseSignal: null, version: '1.0.2' });
    expect(shown['pauseSignals']).to.have.length(1);
  });

  it('has three words for how a step is, and an id where it has no name', () => {
    const words: [StepRunStatus, string, string | null][] = [
      ['queued', 'running', null],
      ['running', 'running', null],
      ['waiting', 'running', null],
      ['completed', 'completed', null],
      ['failed', 'failed', 'It broke'],
      ['cancelled', 'failed', 'Cancelled'],
    ];
    const names = new Map([['named', 'A name']]);
    for (const [status, word, error] of words) {
      const step = makeStep(status, {
        startedAt: AT,
        finishedAt: AT + 250,
        error: status === 'failed' ? { code: 'x', message: 'It broke' } : null,
      });
      const shown = presentRunStatus(makeRun({ steps: [step] }), names) as {
        stepExecutionHistory: Record<string, unknown>[];
      };
      expect(shown.stepExecutionHistory[0]).to.deep.include({ status: word, error, stepName: 's', duration: 250 });
    }
  });

  it('says codes in upper case and starts with the words of the table', () => {
    const report = { status: 404, message: 'no such thing', details: [], requestId: 'q' };
    expect(presentError({ ...report, code: 'workflow_not_found' })).to.deep.equal({
      success: false,
      error: { code: 'WORKFLOW_NOT_FOUND', message: 'Workflow not found: no such thing', details: [], requestId: 'q' },
    });
    const words = {
      invalid_input: 'Invalid input',
      unauthenticated: 'Unauthorized',
      forbidden: 'Forbidden',
      internal: 'Internal server error',
    };
    for (const [code, start] of Object.entries(words)) {
      const { error } = presentError({ ...report, code }) as { error: { message: string } };
      expect(error.message).to.equal(`${start}: no such thing`);
    }
  });

  it('counts versions as semver patches', () => {
    expect([1, 2, 12].map(presentVersion)).to.deep.equal(['1.0.0', '1.0.1', '1.0.11']);
  });
});
