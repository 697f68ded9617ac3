// A subscription asks the database for events by type and condition; a history names single events by core/event-names.ts. Whoever
// subscribes to a name must hear of exactly those that have it.

import { expect } from 'chai';
import { EVENT_NAMES, namesOf } from '../../src/core/event-names.ts';
import type { EventData, EventType } from '../../src/core/events.ts';
import { matchesOf } from '../../src/core/subscriptions.ts';
import type { Database } from '../../src/store/db.ts';
import { openTestDatabase } from '../support/api.ts';

const TYPES: Readonly<Record<EventType, EventData['detail'][]>> = {
  'run.created': [undefined],
  'run.held': [{ reason: 'r' }],
  'run.released': [undefined],
  'run.retried': [undefined],
  'run.rolled_back': [{ to: 3 }],
  'run.cancel_requested': [{ reason: 'r' }],
  'run.cancel_expired': [undefined],
  'run.cleanup_started': [{ step: 'a' }],
  'run.completed': [undefined],
  'run.failed': [{ code: 'x' }, { code: 'approval_rejected' }],
  'run.cancelled': [{ type: 'cancel' }, { type: 'terminate', reason: 'r' }],
  'step.started': [{ attempt: 1 }, { attempt: 2 }, { attempt: 10 }],
  'step.completed': [undefined, { outcome: 'approved' }, { outcome: 'rejected' }],
  'step.failed': [
    { code: 'x', message: 'm' },
    { code: 'approval_rejected', message: 'm' },
  ],
  'step.paused': [
    { pauseId: 'p', type: 'request_user_action' },
    { pauseId: 'p', type: 'collect_inputs' },
    { until: '2026-01-01T00:00:00.000Z' },
    { deliveryId: 'd' },
  ],
  'attempt.failed': [{ code: 'x', attempt: 1 }],
  'lease.expired': [{ lost: 1 }, { released: true }],
};

describe('subscriptions', () => {
  let db: Database;
  let drop: () => Promise<void>;
  before(async () => {
    ({ db, drop } = await openTestDatabase());
  });
  after(() => drop());

  it('hear of exactly the events that have the name they subscribed to', async () => {
    const events = (Object.keys(TYPES) as EventType[]).flatMap((type) =>
      TYPES[type].flatMap((detail) => {
        const data: EventData = detail === undefined ? {} : { detail };
        const isOfStep = /^(step|attempt|lease)\./.test(type);
        return isOfStep
          ? [data, { ...data, starts: true as const }].map((one) => ({ type, data: one }))
          : [{ type, data }];
      }),
    );
    const rules = EVENT_NAMES.flatMap((name) => matchesOf(name).map((match) => ({ name, ...match })));
    const { rows } = await db.pool.query<{ n: number; name: string }>(
      `SELECT e.n::int AS n, s.name
         FROM unnest($1::text[], $2::jsonb[]) WITH ORDINALITY AS e(type, data, n)
         JOIN unnest($3::text[], $4::text[], $5::text[]) AS s(name, type, condition)
           ON s.type = e.type AND (s.condition IS NULL OR e.data @@ s.condition::jsonpath)`,
      [
        events.map(({ type }) => type),
        events.map(({ data }) => JSON.stringify(data)),
        rules.map(({ name }) => name),
        rules.map(({ type }) => type),
        rules.map(({ condition }) => condition),
      ],
    );
    for (const [index, event] of events.entries()) {
      const heard = rows.filter(({ n }) => n === index + 1).map(({ name }) => name);
      expect(heard, JSON.stringify(event)).to.have.members([...namesOf(event)]);
      expect(new Set(heard).size, JSON.stringify(event)).to.equal(heard.length);
    }
  });
});
