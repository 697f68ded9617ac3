import { expect } from 'chai';
import type { JsonObject } from '../../src/core/json.ts';
import { createEgress, type Egress } from '../../src/egress/egress.ts';
import { createCallback } from '../../src/steps/callback.ts';
import { checkStep, settle } from './given.ts';

describe('callback', () => {
  let egress: Egress;
  before(() => {
    egress = createEgress();
  });
  after(() => egress.close());

  const send = (step: JsonObject, data: JsonObject = {}) =>
    settle(createCallback(egress), { id: 's', type: 'callback', ...step }, { data });
  const problems = (step: JsonObject) =>
    checkStep(createCallback(egress), { id: 's', type: 'callback', ...step }).map(({ pointer }) => pointer);

  it('sends its payload, filled in, to its URL', () => {
    const step = {
      url: 'https://example.com/orders',
      payload: { order: '${data.order}', note: 'Order ${data.order.id}' },
    };
    expect(send(step, { order: { id: 7 } })).to.deep.equal({
      kind: 'deliver',
      delivery: { url: 'https://example.com/orders', payload: { order: { id: 7 }, note: 'Order 7' } },
    });
    expect(send({ url: 'https://example.com' })).to.deep.equal({
      kind: 'deliver',
      delivery: { url: 'https://example.com', payload: {} },
    });
  });

  it('says how long to wait, for whose answer, with which secret, and how often to try', () => {
    const step = {
      url: 'https://example.com',
      waitForAnswer: true,
      dueInMs: 5,
      secret: 'OTHER',
      retry: { attempts: 2 },
    };
    expect(send(step)).to.deep.equal({
      kind: 'deliver',
      delivery: { url: 'https://example.com', payload: {}, secret: 'OTHER', waitForAnswer: true, attempts: 2 },
      dueInMs: 5,
    });
  });

  it('refuses to be sent where no step may call, as it is written and as it is filled in', () => {
    for (const url of [
      'http://localhost/',
      'http://169.254.169.254/',
      'file:///etc/passwd',
      'https://u:p@example.com/',
    ])
      expect(problems({ url }), url).to.deep.equal(['/url']);
    expect(problems({ url: 'https://example.com/${data.id}' })).to.deep.equal([]);
    expect(problems({ url: 'https://example.com/', secret: 'not a name' })).to.deep.equal(['/secret']);
    expect(problems({ url: '${data.x}', payload: '${data.x}' })).to.deep.equal(['/payload']);
    for (const url of ['https://example.com/a/../b', 'https://example.com/%2e%2e/b'])
      expect(() => send({ url }), url).to.throw(/dots/);
    expect(() => send({ url: '${data.none}' })).to.throw(/must be text/);
  });
});
