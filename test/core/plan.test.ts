// What a definition becomes before it is walked: which steps can be entered twice, and whose outputs a decision needs.

import { expect } from 'chai';
import { buildPlan, resolveInput, UnknownStepTypeError, unite } from '../../src/core/plan.ts';
import { ask, check, collect, flow, planOf, set, work } from '../support/core-flows.ts';

const repeating = (...args: Parameters<typeof flow>) =>
  [...planOf(flow(...args)).steps.values()].filter((step) => step.repeats).map((step) => step.step.id);
const readsOf = (plan: ReturnType<typeof planOf>, id: string) => [...plan.steps.get(id)!.reads].sort();

describe('a plan: steps that can be entered twice', () => {
  it('none where nothing leads back', () => {
    expect(repeating('a > b, c > j > end')).to.deep.equal([]);
  });

  it('those on a cycle, and those behind it', () => {
    expect(repeating('start > a > b ?data.x> a; b > c > end; start > alone')).to.deep.equal(['a', 'b', 'c', 'end']);
  });

  it('those behind a fault edge, because its arrival does not wait', () => {
    expect(repeating('a > b > end; a -error> mend > end; b -timeout> mend')).to.deep.equal(['end', 'mend']);
  });

  it('the clean-up step, which may be part of the flow', () => {
    expect(repeating('a > b > end', {}, { onCancel: 'b' })).to.deep.equal(['b', 'end']);
  });
});

describe('a plan: who can arrive where', () => {
  const arrivals = (...args: Parameters<typeof flow>) => {
    const plan = planOf(flow(...args));
    const all = [...plan.steps.values()];
    const list = (can: typeof plan.canArrive, id: string) =>
      all.filter((from) => can(from, plan.steps.get(id)!)).map(({ step }) => step.id);
    return { plain: (id: string) => list(plan.canArrive, id), anyhow: (id: string) => list(plan.canArriveAnyhow, id) };
  };

  it('over plain edges, and over all', () => {
    const { plain, anyhow } = arrivals('a > b > end; a -error> c; c > end');
    expect([plain('b'), plain('c'), anyhow('c'), plain('a')]).to.deep.equal([['a'], [], ['a'], []]);
    expect(plain('end')).to.deep.equal(['a', 'b', 'c']);
  });

  it('over an edge back as the last, and not over what comes after it', () => {
    const { plain } = arrivals('draft > one, two > publish > end; one ?data.again> draft');
    expect(plain('draft')).to.deep.equal(['draft', 'one']);
    expect(plain('two')).to.deep.equal(['draft']);
    expect(plain('publish')).to.deep.equal(['draft', 'one', 'two']);
  });

  it('no fault edge makes a plain edge lead back', () => {
    const { plain, anyhow } = arrivals('a -error> mend > c > d ?data.again> b; a > b > c; d > end');
    expect(plain('c')).to.deep.equal(['a', 'mend', 'b']);
    expect(plain('b')).to.deep.equal(['a', 'c', 'd', 'b']);
    for (const id of ['a', 'b', 'c', 'd', 'end']) expect(anyhow(id)).to.include.members(plain(id));
  });
});

describe('a plan: outputs that are read', () => {
  it("are nobody's where no expression names any", () => {
    const plan = planOf(flow('a > b ?data.x> end; b > c > end'));
    expect([...plan.readOutputs]).to.deep.equal([]);
    expect(readsOf(plan, 'a')).to.deep.equal([]);
  });

  it("are those of a step's own edges, of what settles behind it, and of the run's result", () => {
    const steps = {
      t: set({ x: `\${steps.c.output}` }),
      yes: check('steps.d.output.ok'),
      b: work({ args: { x: `\${steps.a.output}` } }),
    };
    const plan = planOf(
      flow('a ?steps.a.output.ok> t > yes -true> b > c > d > end', steps, { output: `\${steps.b.output}` }),
    );
    expect(readsOf(plan, 'a')).to.deep.equal(['a', 'b', 'c', 'd']);
    expect(readsOf(plan, 'c')).to.deep.equal(['b']);
    expect([...plan.readOutputs].sort()).to.deep.equal(['a', 'b', 'c', 'd']);
  });

  it('grow through loops of steps that settle', () => {
    const steps = { t1: set({ x: `\${steps.a.output}` }), t2: set({ x: `\${steps.b.output}` }) };
    const plan = planOf(flow('a > t1 > t2 ?data.again> t1; t2 > b > end', steps));
    expect(readsOf(plan, 'a')).to.deep.equal(['a', 'b']);
  });

  it('may be all, where it cannot be told', () => {
    const plan = planOf(flow('a > t > end', { t: set({ x: `\${steps[data.which].output}` }) }));
    expect(plan.readOutputs).to.equal('all');
    expect(plan.steps.get('a')!.reads).to.equal('all');
    expect(unite([new Set(['a']), 'all'])).to.equal('all');
  });
});

describe('a plan: fields', () => {
  it("resolves what a step's handler is given, and only that", () => {
    const plan = planOf(
      flow('a > b > end', { a: work({ args: { n: `\${data.n + 1}`, s: `n is \${data.n}` }, name: `\${data.n}` }) }),
    );
    const scope = { data: { n: 1 }, steps: {}, run: {}, context: {} };
    expect(resolveInput(plan.steps.get('a')!, scope)).to.deep.equal({ args: { n: 2, s: 'n is 1' } });
    expect(resolveInput(plan.steps.get('b')!, scope)).to.equal(null);
  });

  it('has the check of the start input where the definition declares one', () => {
    expect(planOf(flow('a > end')).payload).to.equal(null);
    const payload = planOf(flow('a > end', {}, { payload: { n: { type: 'number' } } })).payload!;
    expect(payload.validate({ n: 1 }).ok).to.equal(true);
    expect(payload.validate({ n: 'x' }).ok).to.equal(false);
  });

  it('uses each type by its own name, aliases were resolved when the definition was saved', () => {
    const { steps } = planOf(flow('form > review > end', { form: collect({ x: { type: 'string' } }), review: ask() }));
    expect([...steps.values()].map(({ type }) => type.type)).to.deep.equal([
      'collect-inputs',
      'request-user-action',
      'end-flow',
    ]);
  });

  it('throws for a type that this process does not have', () => {
    expect(() => buildPlan(flow('a > end'), () => undefined)).to.throw(
      UnknownStepTypeError,
      'This process does not know the step type "call-tool"',
    );
  });
});
