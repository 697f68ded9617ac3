import { expect } from 'chai';
import { LIMITS } from '../../src/core/definition.ts';
import { ExpressionError } from '../../src/core/expression.ts';
import { condition } from '../../src/steps/condition.ts';
import { endFlow } from '../../src/steps/end-flow.ts';
import { transform } from '../../src/steps/transform.ts';
import { wait } from '../../src/steps/wait.ts';
import { checkStep, NOW, NOW_TEXT, settle } from './given.ts';

describe('a condition step', () => {
  const step = { id: 'c', type: 'condition', condition: 'data.amount > 100' };

  it('answers true or false, and its edges of that name apply', () => {
    expect(settle(condition, step, { data: { amount: 500 } })).to.deep.equal({
      kind: 'complete',
      output: { condition: true },
      on: ['true'],
    });
    expect(settle(condition, step, { data: {} })).to.deep.equal({
      kind: 'complete',
      output: { condition: false },
      on: ['false'],
    });
  });

  it('takes as true what JEXL does', () => {
    for (const [value, expected] of [
      ['x', true],
      ['', false],
      [0, false],
      [[], true],
      [{}, true],
      [null, false],
    ] as const) {
      expect(
        settle(condition, { ...step, condition: '${data.v}' }, { data: { v: value as never } }),
      ).to.have.nested.property('output.condition', expected);
    }
  });
});

describe('a transform step', () => {
  it('computes an object, or one expression', () => {
    const output = { total: '${data.items|length * 2}', note: 'for ${data.who}', fixed: [1] };
    expect(
      settle(transform, { id: 't', type: 'transform', output }, { data: { items: [1, 2], who: 'you' } }),
    ).to.deep.equal({ kind: 'complete', output: { total: 4, note: 'for you', fixed: [1] } });
    expect(
      settle(transform, { id: 't', type: 'transform', output: '${data.items}' }, { data: { items: [1] } }),
    ).to.deep.equal({ kind: 'complete', output: [1] });
  });

  it('may not be plain text', () =>
    expect(checkStep(transform, { id: 't', type: 'transform', output: 'data.x' })[0]).to.include({
      pointer: '/output',
    }));
});

describe('a wait step', () => {
  const at = (step: object, data = {}) => settle(wait, { id: 'w', type: 'wait', ...step }, { data });
  const sleep = (ms: number) => ({ kind: 'sleep', untilMs: NOW + ms });

  it('sleeps for a number of milliseconds, a duration, or until a time', () => {
    expect(at({ durationMs: 1_500 })).to.deep.equal(sleep(1_500));
    expect(at({ durationMs: '${data.n * 1000}' }, { n: 2 })).to.deep.equal(sleep(2_000));
    expect(at({ duration: 'PT5M' })).to.deep.equal(sleep(300_000));
    expect(at({ duration: 'P1D' })).to.deep.equal(sleep(86_400_000));
    expect(at({ duration: 'P1W2DT3H4M5.5S' })).to.deep.equal(sleep(788_645_500));
    expect(at({ until: '2026-01-31T13:00:00+01:00' })).to.deep.equal({
      kind: 'complete',
      output: { wokeAt: NOW_TEXT },
    });
    expect(at({ until: '2026-01-31T14:00:00+01:00' })).to.deep.equal(sleep(3_600_000));
    expect(at({ until: '${data.day}' }, { day: '2026-02-01' })).to.deep.equal(sleep(43_200_000));
  });

  it('goes on at once when the time has passed', () => {
    expect(at({ until: '2020-01-01' })).to.deep.equal({ kind: 'complete', output: { wokeAt: NOW_TEXT } });
    expect(at({ durationMs: 0 })).to.deep.equal({ kind: 'complete', output: { wokeAt: NOW_TEXT } });
  });

  it('fails on what is no time, and on more than a year', () => {
    for (const step of [
      { until: '${data.x}' },
      { duration: '${data.y}' },
      { durationMs: '${data.y}' },
      { until: '2036-01-01' },
    ]) {
      expect(() => at(step, { y: 'soon' }), JSON.stringify(step)).to.throw(ExpressionError);
    }
  });

  it('is checked when it is defined', () => {
    const problems = (step: object) =>
      checkStep(wait, { id: 'w', type: 'wait', ...step }).map(({ pointer }) => pointer);
    expect(problems({})).to.deep.equal(['']);
    expect(problems({ durationMs: 5, until: '2026-01-01' })).to.deep.equal(['']);
    for (const duration of ['5m', 'P1M', 'P1Y', 'PT', 'P', '', 'P1DT', 'P-1D'])
      expect(problems({ duration }), duration).to.deep.equal(['/duration']);
    for (const until of ['tomorrow', '2026-13-01', '2026-01-31T12:00:00', '2026-01-31 12:00'])
      expect(problems({ until }), until).to.deep.equal(['/until']);
    expect(problems({ duration: 'P60W' })).to.deep.equal(['/duration']);
    expect(problems({ durationMs: LIMITS.delayMs })).to.deep.equal([]);
    expect(problems({ until: '${data.when}' })).to.deep.equal([]);
  });
});

describe('an end-flow step', () => {
  const end = { id: 'end', type: 'end-flow' };

  it('ends the run, leaving its result to the engine when it names none', () => {
    expect(settle(endFlow, end)).to.deep.equal({ kind: 'end', status: 'completed' });
    expect(settle(endFlow, { ...end, result: { n: '${data.n}' } }, { data: { n: 1 } })).to.deep.equal({
      kind: 'end',
      status: 'completed',
      result: { n: 1 },
    });
    expect(settle(endFlow, { ...end, result: null })).to.deep.equal({ kind: 'end', status: 'completed', result: null });
  });

  it('fails it, with a reason', () => {
    expect(
      settle(endFlow, { ...end, status: 'failed', error: 'No ${data.what}' }, { data: { what: 'stock' } }),
    ).to.deep.equal({
      kind: 'end',
      status: 'failed',
      error: { code: 'flow_failed', message: 'No stock' },
    });
    expect(settle(endFlow, { ...end, status: 'failed' })).to.have.nested.property(
      'error.message',
      'The flow ended as failed',
    );
  });

  it('names an error only when it fails', () => {
    expect(checkStep(endFlow, { ...end, error: 'x' })[0]).to.include({ pointer: '/error' });
    expect(checkStep(endFlow, { ...end, status: 'failed', error: 'x' })).to.deep.equal([]);
  });
});
