// Pauses for people: what opens one, who may answer which, and what happens when nobody does (DESIGN §4, §7).

import { expect } from 'chai';
import type { JsonObject } from '../../src/core/json.ts';
import { ask, check, collect, flow, set } from '../support/core-flows.ts';
import { given, START } from '../support/core-run.ts';

const approve = { type: 'request_user_action' as const, actionId: 'approve' };

describe('pauses', () => {
  it('a step that asks pauses without a job, and the run waits', () => {
    const run = given(flow('review > end', { review: ask({ message: `For \${data.who}` }) }), { who: 'Ann' });
    expect(run.status).to.equal('waiting');
    expect(run.decision.steps.map(({ status }) => status)).to.deep.equal(['waiting']);
    expect([...run.ledger.pauses.values()]).to.deep.equal([
      {
        id: 'id-1',
        step: 'review',
        visit: 1,
        status: 'open',
        spec: {
          type: 'request_user_action',
          message: 'For Ann',
          actions: [
            { id: 'approve', label: 'Approve', outcome: 'approved' },
            { id: 'reject', label: 'Reject', outcome: 'rejected' },
          ],
        },
      },
    ]);
  });

  it('"at least one pause for a person open and nothing queued or running → waiting", running otherwise', () => {
    const run = given(flow('a > review, b > end', { review: ask() })).work('a');
    expect(run.status).to.equal('running');
    expect(run.work('b').status).to.equal('waiting');
  });

  it('"A pause is answered by its own state, so also while other branches run"', () => {
    const run = given(flow('a > review, b > j > end', { review: ask() }))
      .work('a')
      .claim('b')
      .answer('review', 'approve');
    expect(run.open).to.deep.equal(['b running', 'j pending']);
  });

  it('keeps who answered, what, and when', () => {
    const run = given(flow('review > end', { review: ask() }))
      .pass(5_000)
      .answer('review', 'approve', 'bob');
    expect([...run.ledger.pauses.values()][0]).to.include({ status: 'answered', answeredBy: 'bob' });
    expect(run.row('review').output).to.include({
      actionId: 'approve',
      decidedBy: 'bob',
      decidedAt: new Date(START + 5_000).toISOString(),
    });
  });

  it('an answer that does not fit changes nothing, and says why', () => {
    const run = given(flow('form > end', { form: collect({ n: { type: 'number' } }) }));
    const verdict = run.ask({ type: 'answer', answer: { type: 'collect_inputs', data: { n: 'x' } } });
    expect(verdict).to.deep.include({ kind: 'refused', code: 'invalid_input' });
    expect(verdict).to.have.nested.property('details[0].pointer', '/data/n');
    expect(run.open).to.deep.equal(['form waiting']);
  });

  it('a run that waits for nobody takes no answer', () => {
    expect(given(flow('a > end')).ask({ type: 'answer', answer: approve })).to.include({ code: 'run_not_paused' });
  });

  it('an answer of another type than the pause is refused', () => {
    const run = given(flow('form > end', { form: collect({ n: { type: 'number' } }) }));
    expect(run.ask({ type: 'answer', answer: approve })).to.include({ code: 'run_not_paused' });
  });
});

describe('pauses: which one is meant', () => {
  const graph = flow('a > one, two, form > end', { one: ask(), two: ask(), form: collect({ n: { type: 'number' } }) });
  const paused = () => given(graph).work('a');

  it('the only one of its type needs no name', () => {
    const run = paused().when({ type: 'answer', answer: { type: 'collect_inputs', data: { n: 1 } } });
    expect(run.open).to.deep.equal(['one waiting', 'two waiting', 'end pending']);
  });

  it('of several, one must be named', () => {
    const verdict = paused().ask({ type: 'answer', answer: approve });
    expect(verdict).to.include({ kind: 'refused', code: 'ambiguous_pause' });
    expect(verdict).to.have.property('details').with.length(2);
  });

  it('by its step or by its id', () => {
    expect(paused().answer('two', 'approve').open).to.include('one waiting').and.not.include('two waiting');
    const run = paused();
    run.when({ type: 'answer', answer: approve, pauseId: run.find('one').pauseId! });
    expect(run.open).to.include('two waiting').and.not.include('one waiting');
  });

  it('one that was answered before is refused as that', () => {
    const run = paused();
    const { pauseId } = run.find('one');
    run.answer('one', 'approve');
    expect(run.ask({ type: 'answer', answer: approve, step: 'one' })).to.include({ code: 'already_answered' });
    expect(run.ask({ type: 'answer', answer: approve, pauseId: pauseId! })).to.include({ code: 'already_answered' });
  });
});

describe('pauses: assignees', () => {
  const graph = (assignees: unknown) => flow('review > end', { review: ask({ assignees }) });

  it('only they may answer', () => {
    const run = given(graph(['ann', 'bob']));
    expect(run.ask({ type: 'answer', answer: approve }, 'eve')).to.include({ kind: 'refused', code: 'forbidden' });
    expect(run.answer('review', 'approve', 'bob').status).to.equal('completed');
  });

  it('where they are computed, those it was opened for', () => {
    for (const assignees of [`\${data.owner}`, [`\${data.owner}`]]) {
      const run = given(graph(assignees), { owner: 'ann' });
      expect(run.ask({ type: 'answer', answer: approve }, 'eve')).to.include({ kind: 'refused', code: 'forbidden' });
      expect(run.answer('review', 'approve', 'ann').status).to.equal('completed');
    }
  });

  it('an empty list is a mistake, not everybody', () => {
    expect(given(graph(`\${data.owners}`), { owners: [] }).state.error?.code).to.equal('expression_error');
  });

  it('are kept with the marking, whatever becomes of the data', () => {
    const graph = flow('a > review, b > end', { review: ask({ assignees: `\${data.owner}` }) });
    const run = given(graph, { owner: 'ann' }).work('a').work('b', { owner: 'eve' });
    expect(run.find('review').assignees).to.deep.equal(['ann']);
    expect(run.ask({ type: 'answer', answer: approve }, 'eve')).to.include({ code: 'forbidden' });
  });
});

describe('pauses: when nobody answers', () => {
  const graph = (onTimeout: string | undefined, edges = 'review > ship; review -reject> redo; ship, redo > end') =>
    flow(edges, { review: ask({ dueInMs: 1_000, ...(onTimeout ? { onTimeout } : {}) }) });

  it('fires when it is due, and not before', () => {
    const run = given(graph('approve')).pass(999);
    expect(run.ask({ type: 'wake', step: 'review', visit: 1 })).to.include({ kind: 'refused', code: 'not_due' });
    expect(run.pass(1).wake('review').open).to.deep.equal(['ship queued']);
  });

  it("onTimeout chooses an action in nobody's name", () => {
    const run = given(graph('reject')).wake('review');
    expect(run.open).to.deep.equal(['redo queued']);
    expect([...run.ledger.pauses.values()][0]).to.deep.include({
      status: 'expired',
      answer: { type: 'request_user_action', actionId: 'reject' },
      answeredBy: 'system',
    });
  });

  it('without onTimeout the step times out: its timeout edge, its error edge, or the run', () => {
    const late = 'review > ship; review -timeout> late; review -error> mend; ship, late, mend > end';
    expect(given(graph(undefined, late)).wake('review').open).to.deep.equal(['late queued']);
    const mend = 'review > ship; review -error> mend; ship, mend > end';
    expect(given(graph('fail', mend)).wake('review').open).to.deep.equal(['mend queued']);
    const run = given(graph(undefined)).wake('review');
    expect(run.state.error).to.deep.equal({
      code: 'timeout',
      message: 'Nobody answered step "review" in time',
      step: 'review',
    });
    expect([...run.ledger.pauses.values()][0]).to.include({ status: 'expired' });
  });

  it('a rejection by timeout that no edge takes fails the run as rejected', () => {
    expect(given(graph('reject', 'review > ship > end')).wake('review').state.error?.code).to.equal(
      'approval_rejected',
    );
  });

  it('a pause without a due time waits for as long as it takes', () => {
    const run = given(flow('review > end', { review: ask() })).pass(31_536_000_000_000);
    expect(run.ask({ type: 'wake', step: 'review', visit: 1 })).to.include({ code: 'step_not_open' });
    expect(run.answer('review', 'approve').status).to.equal('completed');
  });
});

describe('collect-inputs "completes without pausing only on visit 1, only from the run\'s start input"', () => {
  const fields = { name: { type: 'string' }, note: { type: 'string', required: false } };
  const form = (input: JsonObject, output: JsonObject = fields) =>
    given(flow('form > end', { form: collect(output) }), input);

  it('"and only if it has at least one required field and all are there and valid"', () => {
    expect(form({ name: 'Ann', other: 1 }).status).to.equal('completed');
    expect(form({ name: 'Ann' }).row('form').output).to.deep.equal({ name: 'Ann' });
    expect(form({ name: 1 }).status).to.equal('waiting');
    expect(form({ note: 'x' }).status).to.equal('waiting');
    expect(form({ note: 'x' }, { note: { type: 'string', required: false } }).status).to.equal('waiting');
  });

  it('not from data that came later', () => {
    expect(given(flow('a > form > end', { form: collect(fields) })).work('a', { name: 'Ann' }).status).to.equal(
      'waiting',
    );
    expect(given(flow('t > form > end', { t: set({ name: 'Ann' }), form: collect(fields) })).status).to.equal(
      'waiting',
    );
  });

  it('on visit 1 also behind other steps, and on visit 2 never', () => {
    const graph = flow('form > again -true> form; again -false> end', {
      form: collect(fields),
      again: check('data.name=="Ann"'),
    });
    expect(given(graph, { name: 'Ann' }).open).to.deep.equal(['form#2 waiting']);
  });
});
