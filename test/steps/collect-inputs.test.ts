import { expect } from 'chai';
import type { JsonObject } from '../../src/core/json.ts';
import { collectInputs } from '../../src/steps/collect-inputs.ts';
import { answerTo, normal, settle } from './given.ts';

const seed = {
  id: 'approval-inputs',
  type: 'collect-inputs',
  output: { approvalReason: { type: 'string' }, approvedAmount: { type: 'number' } },
};
const answer = (step: typeof seed | JsonObject, data: unknown) =>
  answerTo(collectInputs, step, { type: 'collect_inputs', data: data as JsonObject });

describe('a collect-inputs step', () => {
  it('pauses with its fields, as the seed shows them', () => {
    expect(settle(collectInputs, seed)).to.deep.equal({
      kind: 'pause',
      pause: { type: 'collect_inputs', fields: seed.output },
    });
  });

  it('says whom it asks, what and until when', () => {
    const step = {
      ...seed,
      message: 'Dear ${data.boss}',
      assignees: ['${data.boss}', 'u2'],
      dueInMs: '${data.days * 86400000}',
    };
    expect(settle(collectInputs, step, { data: { boss: 'u1', days: 2 } })).to.deep.equal({
      kind: 'pause',
      pause: {
        type: 'collect_inputs',
        fields: seed.output,
        message: 'Dear u1',
        assignees: ['u1', 'u2'],
        dueInMs: 172_800_000,
      },
    });
  });

  it('fails rather than ask nobody, or for a time that is none', () => {
    expect(() =>
      settle(collectInputs, { ...seed, assignees: '${data.nobody|split(",")}' }, { data: { nobody: '' } }),
    ).to.throw('assignees');
    expect(() => settle(collectInputs, { ...seed, dueInMs: '${data.days}' }, { data: { days: 'soon' } })).to.throw(
      'dueInMs is "soon"',
    );
  });

  describe('when the start input has all its fields', () => {
    const input = { approvalReason: 'Budget', approvedAmount: 5, other: true };

    it('completes at once with exactly those', () => {
      expect(settle(collectInputs, seed, { input })).to.deep.equal({
        kind: 'complete',
        output: { approvalReason: 'Budget', approvedAmount: 5 },
      });
    });

    it('fills in the defaults of the others', () => {
      const step = {
        ...seed,
        output: { ...seed.output, level: { type: 'integer', default: 1 }, note: { type: 'string', required: false } },
      };
      expect(settle(collectInputs, step, { input })).to.deep.equal({
        kind: 'complete',
        output: { approvalReason: 'Budget', approvedAmount: 5, level: 1 },
      });
    });

    it('pauses on a later visit', () =>
      expect(settle(collectInputs, seed, { input, visit: 2 }).kind).to.equal('pause'));
    it('pauses when they are only in data', () =>
      expect(settle(collectInputs, seed, { data: input }).kind).to.equal('pause'));
    it('pauses when one is missing', () =>
      expect(settle(collectInputs, seed, { input: { approvalReason: 'x' } }).kind).to.equal('pause'));
    it('pauses when one is not valid', () =>
      expect(settle(collectInputs, seed, { input: { ...input, approvedAmount: 'x' } }).kind).to.equal('pause'));
    it('pauses when an optional one is there and not valid', () => {
      const step = { ...seed, output: { ...seed.output, note: { type: 'string', required: false } } };
      expect(settle(collectInputs, step, { input: { ...input, note: 5 } }).kind).to.equal('pause');
    });
    it('pauses when none is required', () => {
      const step = {
        ...seed,
        output: { note: { type: 'string', required: false }, level: { type: 'integer', default: 1 } },
      };
      expect(settle(collectInputs, step, { input: { note: 'x' } }).kind).to.equal('pause');
      expect(settle(collectInputs, { ...seed, output: {} }, { input }).kind).to.equal('pause');
    });
  });

  describe('an answer', () => {
    it("is taken as both seeds' samples send it, checked against the fields", () => {
      const data = { approvalReason: 'Budget approved for Q1', approvedAmount: 10_000 };
      expect(answer(seed, data)).to.deep.equal({
        ok: true,
        outcome: { kind: 'complete', output: data },
      });
      const one = { ...seed, output: { approvalReason: { type: 'string' } } };
      expect(answer(one, { approvalReason: 'Budget approved for Q1' })).to.deep.include({ ok: true });
    });

    it('is told every problem, at its place in what was sent', () => {
      expect(answer(seed, { approvedAmount: 'much', extra: 1 })).to.deep.equal({
        ok: false,
        problems: [
          { pointer: '/data/approvalReason', message: 'is required' },
          { pointer: '/data/extra', message: 'is an unknown field', hint: 'known are approvalReason, approvedAmount' },
          { pointer: '/data/approvedAmount', message: 'must be a number' },
        ],
      });
    });

    it('is refused without data, with a list for data, and with text that cannot be stored', () => {
      expect(answer(seed, undefined)).to.deep.include({ ok: false });
      expect(answer(seed, [1])).to.deep.equal({
        ok: false,
        problems: [{ pointer: '/data', message: 'must be an object' }],
      });
      expect(answer(seed, { approvalReason: 'a\u0000', approvedAmount: 1 })).to.deep.include({ ok: false });
    });

    it('is refused when it chooses an action', () => {
      expect(answerTo(collectInputs, seed, { type: 'request_user_action', actionId: 'approve' })).to.deep.equal({
        ok: false,
        problems: [
          { pointer: '/type', message: 'must be collect_inputs', hint: 'the run waits for fields, not for an action' },
        ],
      });
    });

    it('cannot pollute a prototype', () => {
      expect(answer({ ...seed, output: {} }, JSON.parse('{"__proto__": {"polluted": 1}}'))).to.deep.include({
        ok: false,
      });
      expect(({} as { polluted?: unknown }).polluted).to.equal(undefined);
    });
  });

  it('times out when nobody answers', () => expect(collectInputs.expire!(seed, { now: 0 })).to.equal(null));
});

describe('an ask-human step', () => {
  const step = normal(collectInputs, {
    id: 'q',
    type: 'ask-human',
    question: 'Ship to ${data.city}?',
    options: ['yes', 'no'],
  });

  it('asks one question with its options', () => {
    expect(settle(collectInputs, step, { data: { city: 'Rome' } })).to.deep.equal({
      kind: 'pause',
      pause: {
        type: 'collect_inputs',
        fields: { answer: { type: 'string', enum: ['yes', 'no'] } },
        message: 'Ship to Rome?',
      },
    });
  });

  it('asks whatever the run was started with, and also where others ask with an answer of that name', () => {
    const input = { answer: 'yes' };
    expect(settle(collectInputs, step, { data: input, input }).kind).to.equal('pause');
    const fields = normal(collectInputs, { id: 'q', type: 'collect-inputs', output: { answer: { type: 'string' } } });
    expect(settle(collectInputs, fields, { data: input, input }).kind).to.equal('complete');
  });

  it('may say what it asks as a message, or not at all; in its normal form it stays a question', () => {
    for (const [written, message] of [
      [{ message: 'Why?' }, 'Why?'],
      [{ question: 'Why?', message: 'Well?' }, 'Well?'],
      [{}, 'What is your answer?'],
      [{ question: 'Why?', output: { reason: { type: 'string' } } }, 'Why?'],
    ] as const) {
      const asking = normal(collectInputs, { id: 'q', type: 'ask-human', ...written });
      expect(normal(collectInputs, asking)).to.deep.equal(asking);
      const outcome = settle(collectInputs, asking, { input: { answer: 'a', reason: 'b' } });
      expect(outcome.kind === 'pause' && outcome.pause.message).to.equal(message);
    }
  });

  it('takes an answer among its options only', () => {
    expect(answer(step as JsonObject, { answer: 'yes' })).to.deep.equal({
      ok: true,
      outcome: { kind: 'complete', output: { answer: 'yes' } },
    });
    expect(answer(step as JsonObject, { answer: 'maybe' })).to.deep.equal({
      ok: false,
      problems: [{ pointer: '/data/answer', message: 'must be one of yes, no' }],
    });
  });

  it('takes any text without options', () => {
    const free = normal(collectInputs, { id: 'q', type: 'ask-human', question: 'Why?' });
    expect(answer(free as JsonObject, { answer: 'because' })).to.deep.include({ ok: true });
  });
});
