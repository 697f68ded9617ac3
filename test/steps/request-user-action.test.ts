import { expect } from 'chai';
import type { Step } from '../../src/core/definition.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Answer } from '../../src/core/step-type.ts';
import { requestUserAction } from '../../src/steps/request-user-action.ts';
import { answerTo, checkStep, NOW_TEXT, normal, settle } from './given.ts';

const seed = {
  id: 'manager-approval',
  type: 'request-user-action',
  actions: [
    { id: 'approve', label: 'Approve' },
    { id: 'reject', label: 'Reject' },
  ],
};
const choose = (step: JsonObject, answer: Omit<Answer, 'type'>) =>
  answerTo(requestUserAction, step, { type: 'request_user_action', ...answer });
const approved = {
  actionId: 'approve',
  actionValue: 'approved',
  outcome: 'approved',
  comment: null,
  data: {},
  decidedBy: 'ann',
  decidedAt: NOW_TEXT,
};
const offered = 'offered: approve, reject';
const refusal = (pointer: string, message: string, hint = offered) => ({
  ok: false,
  problems: [{ pointer, message, hint }],
});

describe('a request-user-action step', () => {
  it('pauses with its actions, each with its outcome', () => {
    expect(settle(requestUserAction, { ...seed, message: 'For ${data.who}' }, { data: { who: 'you' } })).to.deep.equal({
      kind: 'pause',
      pause: {
        type: 'request_user_action',
        message: 'For you',
        actions: [
          { id: 'approve', label: 'Approve', outcome: 'approved' },
          { id: 'reject', label: 'Reject', outcome: 'rejected' },
        ],
      },
    });
  });

  it('offers approve and reject when it names no actions', () => {
    expect(normal(requestUserAction, { id: 'a', type: 'approval' })).to.deep.equal({ ...seed, id: 'a' });
  });

  it('takes an outcome in the place of an action: the first that decides like this', () => {
    const custom = {
      ...seed,
      actions: [{ id: 'later' }, { id: 'ok', outcome: 'approved' }, { id: 'fine', outcome: 'approved' }],
    };
    const { outcome } = choose(custom, { outcome: 'approved' }) as { outcome: { output: JsonObject } };
    expect(outcome.output).to.include({ actionId: 'ok', actionValue: 'approved', outcome: 'approved' });
    expect(choose(custom, { outcome: 'rejected' })).to.deep.equal(
      refusal('/outcome', 'no action on offer counts as rejected', 'offered: later, ok, fine'),
    );
  });

  it('lets edges name its actions and their outcomes', () => {
    expect(requestUserAction.edgeNames!(seed as unknown as Step)).to.deep.equal([
      'approve',
      'approved',
      'reject',
      'rejected',
    ]);
    const custom = { ...seed, actions: [{ id: 'escalate' }, { id: 'ok', outcome: 'approved' }] };
    expect(requestUserAction.edgeNames!(custom as unknown as Step)).to.deep.equal(['escalate', 'ok', 'approved']);
  });

  describe('an answer', () => {
    it("chooses as the first seed's sample does: an offered action, and its value", () => {
      expect(choose(seed, { actionId: 'approve', actionValue: 'approved' })).to.deep.equal({
        ok: true,
        outcome: { kind: 'complete', output: approved, on: ['approve'], outcome: 'approved' },
      });
    });

    it("chooses as the second seed's sample does: the step's action id, and the value of one", () => {
      const expected = choose(seed, { actionId: 'approve' });
      expect(
        choose({ ...seed, actionId: 'approval-action-1' }, { actionId: 'approval-action-1', actionValue: 'approved' }),
      ).to.deep.equal(expected);
      expect(
        choose({ ...seed, id: 'approval-action-1' }, { actionId: 'approval-action-1', actionValue: 'approved' }),
      ).to.deep.equal(expected);
      expect(choose(seed, { actionId: 'manager-approval', actionValue: 'approve' })).to.deep.equal(expected);
    });

    it('rejects, with a comment', () => {
      expect(choose(seed, { actionId: 'reject', comment: 'Too dear' })).to.deep.equal({
        ok: true,
        outcome: {
          kind: 'complete',
          output: {
            ...approved,
            actionId: 'reject',
            actionValue: 'rejected',
            outcome: 'rejected',
            comment: 'Too dear',
          },
          on: ['reject'],
          outcome: 'rejected',
        },
      });
    });

    it('takes approve and approved, reject and rejected, as the same value', () => {
      const past = { ...seed, actions: [{ id: 'approved' }, { id: 'rejected' }] };
      for (const actionValue of ['approve', 'approved']) {
        expect(choose(past, { actionId: past.id, actionValue })).to.have.nested.property(
          'outcome.output.actionId',
          'approved',
        );
        expect(choose(seed, { actionId: seed.id, actionValue })).to.have.nested.property(
          'outcome.output.actionId',
          'approve',
        );
      }
      expect(choose(seed, { actionId: seed.id, actionValue: 'rejected' })).to.have.nested.property(
        'outcome.output.actionId',
        'reject',
      );
    });

    it('chooses by the value that an action declares, and reports it', () => {
      const custom = {
        ...seed,
        actions: [
          { id: 'a1', label: 'Yes', value: 'yes', outcome: 'approved' },
          { id: 'a2', label: 'Later', value: 'later' },
        ],
      };
      expect(choose(custom, { actionId: seed.id, actionValue: 'yes' })).to.have.nested.property(
        'outcome.output.actionId',
        'a1',
      );
      expect(choose(custom, { actionId: 'a1' })).to.have.nested.property('outcome.output.actionValue', 'yes');
      const later = choose(custom, { actionId: 'a2' });
      expect(later).to.have.nested.property('outcome.output.outcome', null);
      expect(later).to.not.have.nested.property('outcome.outcome');
      expect(choose(custom, { actionId: 'a1', actionValue: 'approved' })).to.include({ ok: true });
    });

    it('may carry a value that names no action', () => {
      expect(choose(seed, { actionId: 'approve', actionValue: 'with pleasure' })).to.have.nested.property(
        'outcome.output.actionValue',
        'with pleasure',
      );
    });

    it('is refused when its value names another action', () => {
      for (const actionValue of ['reject', 'rejected']) {
        expect(choose(seed, { actionId: 'approve', actionValue })).to.deep.equal(
          refusal('/actionValue', 'names the action "reject", but actionId names "approve"'),
        );
      }
    });

    it('is refused when it names nothing that is offered', () => {
      expect(choose(seed, { actionId: 'aprove' })).to.deep.equal(refusal('/actionId', 'is no offered action'));
      expect(choose(seed, { actionId: 'constructor' })).to.deep.equal(refusal('/actionId', 'is no offered action'));
      expect(choose(seed, { actionId: seed.id, actionValue: 'constructor' })).to.deep.equal(
        refusal('/actionValue', 'is no offered action'),
      );
      expect(choose(seed, { actionId: seed.id })).to.deep.equal(
        refusal('/actionValue', 'is required when actionId names the step'),
      );
      expect(choose(seed, {})).to.deep.equal(refusal('/actionId', 'is required'));
      expect(answerTo(requestUserAction, seed, { type: 'collect_inputs', data: {} })).to.deep.equal(
        refusal('/type', 'must be request_user_action'),
      );
    });

    it('fills in the fields of its action, which are checked and merged into data', () => {
      const step = {
        ...seed,
        actions: [
          { id: 'approve', fields: { amount: { type: 'number' }, unit: { type: 'string', default: 'EUR' } } },
          { id: 'reject' },
        ],
      };
      const verdict = choose(step, { actionId: 'approve', data: { amount: 5 } });
      expect(verdict).to.have.deep.nested.property('outcome.output.data', { amount: 5, unit: 'EUR' });
      const { output } = (verdict as Extract<typeof verdict, { ok: true }>).outcome;
      expect(requestUserAction.fieldsOf!(step as unknown as Step, output)).to.deep.equal({ amount: 5, unit: 'EUR' });
      const rejected = { ...(output as JsonObject), actionId: 'reject', data: {} };
      expect(requestUserAction.fieldsOf!(step as unknown as Step, rejected), 'no fields, nothing to merge').to.equal(
        null,
      );
      expect(choose(step, { actionId: 'approve', data: { amount: 'x' } })).to.deep.equal({
        ok: false,
        problems: [{ pointer: '/data/amount', message: 'must be a number' }],
      });
      expect(choose(step, { actionId: 'approve' })).to.deep.equal({
        ok: false,
        problems: [{ pointer: '/data/amount', message: 'is required' }],
      });
      expect(choose(step, { actionId: 'reject', data: { amount: 5 } })).to.deep.equal({
        ok: false,
        problems: [{ pointer: '/data/amount', message: 'is an unknown field', hint: 'there are none' }],
      });
    });

    it('is refused with a comment that is too long or cannot be stored', () => {
      expect(choose(seed, { actionId: 'approve', comment: 'x'.repeat(10_001) })).to.deep.include({ ok: false });
      expect(choose(seed, { actionId: 'approve', comment: '\ud800' })).to.deep.include({ ok: false });
    });
  });

  describe('when nobody answers in time', () => {
    const expire = (onTimeout?: string, actions: unknown = seed.actions) =>
      requestUserAction.expire!(
        { ...seed, actions, ...(onTimeout === undefined ? {} : { onTimeout }) } as unknown as Step,
        { now: 0 },
      );
    const answered = (actionId: string) => ({ answer: { type: 'request_user_action', actionId } });

    it('times out by default', () => {
      expect(expire()).to.equal(null);
      expect(expire('fail')).to.equal(null);
    });

    it('is answered with the action it names', () => {
      expect(expire('approve')).to.deep.equal(answered('approve'));
      expect(expire('reject', [{ id: 'rejected' }])).to.deep.equal(answered('rejected'));
      expect(
        expire('approve', [
          { id: 'no', outcome: 'rejected' },
          { id: 'go', outcome: 'approved' },
        ]),
      ).to.deep.equal(answered('go'));
      expect(expire('later', [{ id: 'later' }])).to.deep.equal(answered('later'));
    });
  });

  describe('a definition of it', () => {
    const problems = (step: JsonObject) =>
      checkStep(requestUserAction, { id: 'a', type: 'approval', ...step }).map(
        ({ pointer, message }) => `${pointer} ${message}`,
      );

    it('may not offer one name twice, nor names that edges use', () => {
      expect(problems({ actions: [{ id: 'a' }, { id: 'a' }] })).to.deep.equal([
        '/actions/1 has "a" as id or value, which action 0 has too',
      ]);
      expect(problems({ actions: [{ id: 'a' }, { id: 'b', value: 'a' }] })).to.deep.equal([
        '/actions/1 has "a" as id or value, which action 0 has too',
      ]);
      expect(problems({ actions: [{ id: 'error' }, { id: 'a b' }] })).to.deep.equal([
        '/actions/0/id cannot be "error": edges use that name for how a step failed',
        '/actions/1/id must be 1 to 64 letters, digits, "_" or "-"',
      ]);
    });

    it('may not time out into what is not there, or into fields that nobody fills in', () => {
      expect(problems({ onTimeout: 'later' })).to.deep.equal(['/onTimeout is no action of this step']);
      expect(problems({ onTimeout: 'approve' })).to.deep.equal([]);
      expect(
        problems({ onTimeout: 'approve', actions: [{ id: 'approve', fields: { a: { type: 'string' } } }] }),
      ).to.deep.equal(['/onTimeout chooses "approve", whose fields nobody fills in then']);
    });

    it('may not have fields that are no schemas', () => {
      expect(problems({ actions: [{ id: 'x', fields: { a: { type: 'string', pattern: '(' } } }] })).to.deep.equal([
        '/actions/0/fields/a/pattern is no regular expression of JavaScript',
      ]);
    });
  });
});
