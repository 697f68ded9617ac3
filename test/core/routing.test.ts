// DESIGN §4, "Which edges are followed": by how a step ended, by condition, by default, and what a step with
// `route: "first"` makes of it.

import { expect } from 'chai';
import { ask, check, collect, flow, set, wait } from '../support/core-flows.ts';
import { given } from '../support/core-run.ts';

describe('which edges are followed', () => {
  it('"every edge whose condition holds is followed, in parallel"', () => {
    const run = given(flow('a ?data.n==1> one; a ?data.n>0> two; a ?data.n>1> three; one, two, three > end'), { n: 1 });
    expect(run.work('a').open).to.deep.equal(['one queued', 'two queued']);
  });

  it('reads the output that has just been recorded, merged into data or under its step', () => {
    const graph = flow('a ?data.n==2> one; a ?steps.a.output.n==2> two; one, two > end');
    expect(given(graph).work('a', { n: 2 }).open).to.deep.equal(['one queued', 'two queued']);
  });

  it('"default: true only when no other is"', () => {
    const graph = flow('a ?data.n==1> one; a !> other; one, other > end');
    expect(given(graph, { n: 1 }).work('a').open).to.deep.equal(['one queued']);
    expect(given(graph, { n: 2 }).work('a').open).to.deep.equal(['other queued']);
  });

  it('follows a default edge only if its own condition holds', () => {
    const graph = flow('a ?data.n==1> one; a !?data.m==1> other; one, other > end');
    expect(given(graph, { m: 1 }).work('a').open).to.deep.equal(['other queued']);
    expect(given(graph, { m: 2 }).work('a').status).to.equal('completed');
  });

  it('"a step with route: "first" follows only the first"', () => {
    const graph = flow('a ?data.n>1> one; a ?data.n>0> two; a > three; a !> four; one, two, three, four > end', {
      a: { type: 'call-tool', tool: 'work', route: 'first' },
    });
    expect(given(graph, { n: 1 }).work('a').open).to.deep.equal(['two queued']);
    expect(given(graph, { n: 0 }).work('a').open).to.deep.equal(['three queued']);
  });

  it('"No edge followed: the branch ends. When the last branch ends the run completes"', () => {
    const run = given(flow('a > b, c; b ?false> end; c ?false> end')).work('a').work('b');
    expect(run.open).to.deep.equal(['c queued']);
    run.work('c');
    expect(run.status).to.equal('completed');
    expect(run.state.result).to.deep.equal({ success: true });
  });

  it('follows an edge to a step once, however many edges lead there', () => {
    const run = given(flow('a > b; a ?true> b; b > end')).work('a');
    expect(run.open).to.deep.equal(['b queued']);
    expect(run.state.stepRuns).to.equal(2);
  });

  it('a condition step goes on over "true" or "false", and over edges without on', () => {
    const graph = flow('yes -true> one; yes -false> two; yes > three; one, two, three > end', {
      yes: check('data.n > 1'),
    });
    expect(given(graph, { n: 2 }).open).to.deep.equal(['one queued', 'three queued']);
    expect(given(graph, { n: 1 }).open).to.deep.equal(['two queued', 'three queued']);
  });

  it('a condition that costs too much fails the run, and says which edge', () => {
    const run = given(flow('a ?(data.x+data.x)=="y"> b; a, b > end'), { x: 'x'.repeat(600_000) }).work('a');
    expect(run.state.error).to.include({ code: 'expression_error', step: 'a' });
    expect(run.state.error?.message).to.match(/^The condition of the edge to "b" failed: /);
  });

  it('a settling step that cannot be computed fails as a step, and its error edge takes it', () => {
    const later = { later: wait(`\${data.when}`) };
    const run = given(flow('later > end', later), { when: 'soon' });
    expect(run.state.error).to.include({ code: 'expression_error', step: 'later' });
    const mended = given(flow('later > end; later -error> mend > end', later), { when: 'soon' });
    expect(mended.open).to.deep.equal(['mend queued']);
  });
});

describe('which edges are followed: answers', () => {
  const graph = flow(
    'review -reject> redo; review -approve> ship; review -approved> tell; review > log; review ?true> audit; redo, ship, tell, log, audit > end',
    {
      review: ask(),
    },
  );

  it('"Completed: edges without on, and those whose on names the chosen action, its outcome"', () => {
    const run = given(graph).answer('review', 'approve');
    expect(run.open).to.deep.equal(['ship queued', 'tell queued', 'log queued', 'audit queued']);
  });

  it('"Rejected: only edges whose on names it or whose condition holds"', () => {
    expect(given(graph).answer('review', 'reject').open).to.deep.equal(['redo queued', 'audit queued']);
  });

  it('"none → the run fails with approval_rejected"', () => {
    const run = given(flow('review > ship > end', { review: ask() })).answer('review', 'reject');
    expect(run.status).to.equal('failed');
    expect(run.state.error).to.deep.equal({
      code: 'approval_rejected',
      message: 'Step "review" was rejected',
      step: 'review',
    });
    expect(run.state.interrupted).to.have.length(1);
  });

  it('and says why it was rejected, where that was said', () => {
    const run = given(flow('review > ship > end', { review: ask() }));
    run.when({ type: 'answer', answer: { type: 'request_user_action', actionId: 'reject', comment: 'too dear' } });
    expect(run.state.error?.message).to.equal('Step "review" was rejected: too dear');
  });

  it('a default edge alone does not take a rejection', () => {
    expect(given(flow('review !> ship > end', { review: ask() })).answer('review', 'reject').status).to.equal('failed');
    expect(given(flow('review !> ship > end', { review: ask() })).answer('review', 'approve').open).to.deep.equal([
      'ship queued',
    ]);
  });

  it('"the action\'s outcome is rejected": whatever its id', () => {
    const actions = [
      { id: 'later', outcome: 'rejected' },
      { id: 'reject', outcome: 'approved' },
    ];
    const named = flow('review -later> a; review -rejected> b; review > c; a, b, c > end', {
      review: ask({ actions }),
    });
    expect(given(named).answer('review', 'later').open).to.deep.equal(['a queued', 'b queued']);
    expect(given(named).answer('review', 'reject').open).to.deep.equal(['c queued']);
  });

  it('an action without outcome completes like any step', () => {
    const named = flow('review -later> a; review > b; a, b > end', { review: ask({ actions: [{ id: 'later' }] }) });
    expect(given(named).answer('review', 'later').open).to.deep.equal(['a queued', 'b queued']);
  });
});

describe('which edges are followed: faults', () => {
  it('"Failed, timed out: only on: "error", on: "timeout"; none → the run fails"', () => {
    const graph = flow('a > b; a -error> mend; a -timeout> late; b, mend, late > end');
    expect(given(graph).fail('a').open).to.deep.equal(['mend queued']);
    expect(given(graph).fail('a', { timedOut: true }).open).to.deep.equal(['late queued']);
    expect(given(flow('a > b > end')).fail('a').status).to.equal('failed');
  });

  it('a timeout takes the error edge of a step that has no timeout edge, never the other way round', () => {
    expect(given(flow('a -error> mend; a, mend > end')).fail('a', { timedOut: true }).open).to.deep.equal([
      'mend queued',
    ]);
    const run = given(flow('a -timeout> late; a, late > end')).fail('a');
    expect(run.state.error).to.deep.equal({ code: 'broken', message: 'It broke', step: 'a' });
  });

  it('a fault edge is never followed by a step that completes, not even as default', () => {
    expect(given(flow('a -error!> mend; a > b; mend, b > end')).work('a').open).to.deep.equal(['b queued']);
  });

  it('a fault edge whose condition does not hold takes nothing', () => {
    expect(given(flow('a -error?false> mend; a, mend > end')).fail('a').status).to.equal('failed');
  });
});

describe('where outputs go', () => {
  it('"Merged shallowly into data are the outputs of collect-inputs, call-tool, transform"', () => {
    const run = given(
      flow('form > a > t > end', { form: collect({ x: { type: 'number' } }), t: set({ z: `\${data.x + data.y}` }) }),
      { o: { deep: 1 } },
    );
    run.answer('form', { x: 1 }).work('a', { y: 2, o: { other: 2 } });
    expect(run.state.data).to.deep.equal({ x: 1, y: 2, o: { other: 2 }, z: 3 });
  });

  it('"and an action\'s fields; every other output stays under steps.<id>.output"', () => {
    const actions = [{ id: 'approve', fields: { amount: { type: 'number' } } }, { id: 'reject' }];
    const graph = flow('review > seen > end', {
      review: ask({ actions }),
      seen: set({ by: `\${steps.review.output.decidedBy}` }),
    });
    const run = given(graph).when(
      { type: 'answer', answer: { type: 'request_user_action', actionId: 'approve', data: { amount: 3 } } },
      'ann',
    );
    expect(run.state.data).to.deep.equal({ amount: 3, by: 'ann' });
  });

  it('"unless outputKey puts it under a key of data"', () => {
    const steps = {
      form: collect({ x: { type: 'number' } }, { outputKey: 'answers' }),
      a: { type: 'call-tool', tool: 'work', outputKey: 'result' },
      review: ask({ outputKey: 'review', actions: [{ id: 'approve', fields: { amount: { type: 'number' } } }] }),
      t: set(`\${data.amount * 2}`, { outputKey: 'double' }),
    };
    const run = given(flow('form > a > review > t > end', steps)).answer('form', { x: 1 }).work('a', [1, 2]);
    run.when(
      { type: 'answer', answer: { type: 'request_user_action', actionId: 'approve', data: { amount: 3 } } },
      'ann',
    );
    const { review, ...rest } = run.state.data;
    expect(rest).to.deep.equal({ answers: { x: 1 }, result: [1, 2], amount: 3, double: 6 });
    expect(review).to.include({ actionId: 'approve', outcome: 'approved', decidedBy: 'ann' });
  });

  it('an output that is no object stays under its step', () => {
    expect(given(flow('a > b > end')).work('a', [1]).state.data).to.deep.equal({});
  });

  it('data that grows beyond its limit fails the run and is not kept', () => {
    const run = given(flow('a > b > end'), { x: 'y' }).work('a', { big: 'b'.repeat(1_048_576) });
    expect(run.state.error).to.include({ code: 'data_too_large', step: 'a' });
    expect(run.state.data).to.deep.equal({ x: 'y' });
    expect(run.decision.dataPatch).to.equal(null);
  });
});
