// Events and the marking: what a run's history says is open, and how an open step run is packed for it.

import { expect } from 'chai';
import fc from 'fast-check';
import { foldEvents, packMark, unpackMark } from '../../src/core/events.ts';
import type { OpenStep } from '../../src/core/run.ts';
import { ask, flow, set, work } from '../support/core-flows.ts';
import { given } from '../support/core-run.ts';

const plain = { attempt: 1, fence: 0, epoch: 0, lost: 0 };

describe('events', () => {
  it('"Each event\'s data lists the step runs it opened and closed"', () => {
    const run = given(flow('a > t, b > end', { t: set({ x: 1 }) }))
      .claim('a')
      .work('a');
    expect(run.ledger.events.map(({ seq, type, step, data }) => ({ seq, type, step, ...data }))).to.deep.equal([
      { seq: 1, type: 'run.created', step: null, opened: [{ step: 'a', visit: 1, status: 'queued' }] },
      {
        seq: 2,
        type: 'step.started',
        step: 'a',
        detail: { attempt: 1 },
        starts: true,
        moved: [{ step: 'a', visit: 1, status: 'running', fence: 1 }],
      },
      {
        seq: 3,
        type: 'step.completed',
        step: 'a',
        opened: [
          { step: 't', visit: 1, status: 'pending' },
          { step: 'b', visit: 1, status: 'pending' },
        ],
        closed: [{ step: 'a', visit: 1, status: 'completed' }],
      },
      {
        seq: 4,
        type: 'step.completed',
        step: 't',
        opened: [{ step: 'end', visit: 1, status: 'pending' }],
        moved: [{ step: 'b', visit: 1, status: 'queued' }],
        closed: [{ step: 't', visit: 1, status: 'completed' }],
      },
    ]);
  });

  it('what one event opens and closes is told as both, and is open no more', () => {
    const run = given(flow('a > b, j > end; b > j', { j: work({ join: 'any' }) })).work('a');
    const { data } = run.ledger.events.at(-1)!;
    expect(data.opened?.map(({ step }) => step)).to.have.members(['b', 'j']);
    expect(data.closed).to.deep.include({ step: 'b', visit: 1, status: 'cancelled' });
    expect(foldEvents(run.ledger.events)).to.deep.equal(run.state.open);
  });

  it('"folding a run\'s events gives its marking", at every point of it, in its order', () => {
    const run = given(flow('a > review -approve> b, c > j > end; review -reject> a', { review: ask() }));
    const story = [
      () => run.work('a'),
      () => run.answer('review', 'reject'),
      () => run.work('a').answer('review', 'approve'),
      () => run.claim('b').fail('b', { retryable: true }),
      () => run.claim('c').lose('c').work('c'),
    ];
    for (const next of story) {
      next();
      expect(foldEvents(run.ledger.events)).to.deep.equal(run.state.open);
    }
    expect(run.open).to.deep.equal(['b queued', 'j pending']);
    expect(foldEvents([])).to.deep.equal([]);
  });

  it("never hold outputs, which stand in the step's row", () => {
    const run = given(flow('a > b > end')).work('a', { secret: 'canary' });
    expect(JSON.stringify(run.ledger.events)).to.not.include('canary');
  });

  it('name who asked', () => {
    const run = given(flow('review > end', { review: ask() })).answer('review', 'approve', 'ann');
    expect(run.ledger.events.map(({ actor }) => actor)).to.deep.equal(['system', 'system', 'ann', 'ann', 'ann']);
  });
});

describe('packed marks', () => {
  it('leave out what is at its beginning', () => {
    expect(packMark({ step: 'a', visit: 1, status: 'queued', ...plain })).to.deep.equal({
      step: 'a',
      visit: 1,
      status: 'queued',
    });
  });

  it('unpack to what was packed, also as JSON', () => {
    const mark: fc.Arbitrary<OpenStep> = fc.record(
      {
        step: fc.string({ minLength: 1 }),
        visit: fc.integer({ min: 1 }),
        status: fc.constantFrom('pending' as const, 'queued' as const, 'running' as const, 'waiting' as const),
        attempt: fc.integer({ min: 1, max: 3 }),
        fence: fc.nat(3),
        epoch: fc.nat(2),
        lost: fc.nat(2),
        dueAt: fc.nat(),
        since: fc.nat(),
        awaits: fc.constantFrom('person' as const, 'time' as const),
        pauseId: fc.uuid(),
        assignees: fc.array(fc.string(), { minLength: 1 }),
        urgent: fc.constant(true as const),
      },
      { requiredKeys: ['step', 'visit', 'status', 'attempt', 'fence', 'epoch', 'lost'], noNullPrototype: true },
    );
    fc.assert(
      fc.property(mark, (open) => {
        expect(unpackMark(JSON.parse(JSON.stringify(packMark(open))))).to.deep.equal(open);
      }),
    );
  });
});
