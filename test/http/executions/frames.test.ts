import { expect } from 'chai';
import type { EventType } from '../../../src/core/events.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { presentEvent } from '../../../src/http/executions/present.ts';
import { formatPage, readLastEventId } from '../../../src/http/sse.ts';
import type { FollowedEvent } from '../../../src/store/followed-events.ts';

const AT = Date.UTC(2026, 10, 20);

function event(type: EventType, detail: JsonObject = {}, more: Partial<FollowedEvent> = {}): FollowedEvent {
  const step = type.startsWith('run.') ? null : 'pay';
  const about = { step, visit: step === null ? null : 1 };
  const found = { output: null, durationMs: null, pause: null };
  return { seq: 7, type, ...about, actor: 'jane', at: AT, data: { detail }, ...found, ...more };
}

const ERROR = { code: 'step_error', message: 'it broke' };
const PAUSE = {
  id: 'p1',
  spec: { type: 'request_user_action', message: 'Pay?', actions: [{ id: 'approve', label: 'Approve' }] },
  dueAt: null,
  openedAt: AT,
} as const satisfies FollowedEvent['pause'] | object;

/** Every type of event, in each of the forms that it has, and what a reader is told of it. */
const TOLD: Readonly<Record<EventType, readonly (readonly [FollowedEvent, unknown])[]>> = {
  'run.created': [[event('run.created'), null]],
  'run.cancel_requested': [[event('run.cancel_requested', { reason: 'no' }), null]],
  'run.cancel_expired': [[event('run.cancel_expired'), null]],
  'run.cleanup_started': [[event('run.cleanup_started'), null]],
  'run.released': [[event('run.released'), null]],
  'run.retried': [[event('run.retried'), null]],
  'run.rolled_back': [[event('run.rolled_back'), null]],
  'run.held': [
    [
      event('run.held', { reason: 'lunch' }),
      { type: 'execution_suspended', interrupt: { type: 'hold', reason: 'lunch' } },
    ],
    [event('run.held'), { type: 'execution_suspended', interrupt: { type: 'hold', reason: null } }],
  ],
  'run.completed': [
    [
      event('run.completed', {}, { output: { paid: true } }),
      { type: 'execution_complete', status: 'completed', output: { paid: true } },
    ],
  ],
  'run.failed': [
    [event('run.failed', { ...ERROR, step: 'pay' }), { type: 'execution_failed', error: { ...ERROR, nodeId: 'pay' } }],
    [event('run.failed', ERROR), { type: 'execution_failed', error: { ...ERROR, nodeId: null } }],
  ],
  'run.cancelled': [
    [event('run.cancelled', { type: 'cancel', reason: 'no' }), { type: 'execution_cancelled', reason: 'no' }],
    [event('run.cancelled', { type: 'terminate' }), { type: 'execution_cancelled', reason: null }],
  ],
  'step.started': [[event('step.started', { attempt: 2 }), { type: 'node_update', nodeId: 'pay', status: 'running' }]],
  'step.completed': [
    [
      event('step.completed', {}, { output: { id: 1 }, durationMs: 12 }),
      { type: 'node_update', nodeId: 'pay', status: 'completed', output: { id: 1 }, durationMs: 12 },
    ],
    [event('step.completed'), { type: 'node_update', nodeId: 'pay', status: 'completed', output: null }],
  ],
  'step.failed': [
    [
      event('step.failed', ERROR, { durationMs: 3 }),
      { type: 'node_update', nodeId: 'pay', status: 'failed', error: ERROR, durationMs: 3 },
    ],
  ],
  'step.paused': [
    [
      event('step.paused', { pauseId: 'p1' }, { pause: PAUSE as FollowedEvent['pause'] }),
      {
        type: 'execution_suspended',
        interrupt: {
          type: 'approval',
          id: 'p1',
          nodeId: 'pay',
          message: 'Pay?',
          actions: [{ id: 'approve', label: 'Approve' }],
          dueAt: null,
          createdAt: '2026-11-20T00:00:00.000Z',
        },
      },
    ],
    [event('step.paused', { until: '2027' }), { type: 'node_update', nodeId: 'pay', status: 'running' }],
    [event('step.paused', { deliveryId: 'd' }), { type: 'node_update', nodeId: 'pay', status: 'running' }],
  ],
  'attempt.failed': [
    [
      event('attempt.failed', { ...ERROR, attempt: 1, retryInMs: 5 }),
      { type: 'node_update', nodeId: 'pay', status: 'queued', error: ERROR },
    ],
    [event('attempt.failed', { ...ERROR, attempt: 3 }), null],
  ],
  'lease.expired': [[event('lease.expired', { lost: 1 }), { type: 'node_update', nodeId: 'pay', status: 'queued' }]],
};

describe('a frame', () => {
  for (const [type, cases] of Object.entries(TOLD)) {
    it(`of ${type} tells what it means, or nothing`, () => {
      for (const [told, frame] of cases) expect(presentEvent(told)).to.deep.equal(frame);
    });
  }

  it('is one line of data under the number of its event; what says nothing is left out', () => {
    const page = [
      { ...event('run.created'), seq: 1 },
      { ...event('step.completed', {}, { output: 'two\nlines\r\u2028' }), seq: 2 },
      { ...event('run.retried'), seq: 3 },
      { ...event('run.cancelled'), seq: 4 },
    ];
    expect(formatPage(page, presentEvent)).to.equal(
      'id: 2\ndata: {"type":"node_update","nodeId":"pay","status":"completed","output":"two\\nlines\\r\u2028"}\n\n' +
        'id: 4\ndata: {"type":"execution_cancelled","reason":null}\n\n',
    );
    expect(formatPage([page[0]!], presentEvent)).to.equal('');
  });
});

describe('Last-Event-ID', () => {
  const head = { status: 'running', seq: 9 } as const;

  it('is read from the header, else from the query, else there is none', () => {
    expect(readLastEventId('7', '3', head)).to.equal(7);
    expect(readLastEventId('', '3', head)).to.equal(3);
    expect(readLastEventId('', '', head)).to.equal(0);
    expect(readLastEventId('', undefined, head)).to.equal(0);
    expect(readLastEventId('9', undefined, head)).to.equal(9);
    expect(readLastEventId('0', undefined, head)).to.equal(0);
  });

  it('is refused when no stream of the run can have given it', () => {
    for (const id of ['10', '-1', '1.0', '1e3', 'a', '٣', ' 1', '1, 2', '9999999999999999'])
      expect(() => readLastEventId(id, undefined, head), id).to.throw('Last-Event-ID');
  });
});
