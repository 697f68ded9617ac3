import { expect } from 'chai';
import type { JsonObject } from '../../src/core/json.ts';
import { defineSequence, findSequenceProblems, locateInSequence, type SequenceStep } from '../../src/core/sequence.ts';

const step = (name: string, config?: JsonObject): SequenceStep => ({
  name,
  type: 'task',
  ...(config ? { config } : {}),
});
const idsOf = (...names: string[]) =>
  (defineSequence({ name: 'x', steps: names.map((name) => step(name)) })['steps'] as { id: string }[]).map(
    ({ id }) => id,
  );

describe('steps written out one after the other', () => {
  it('become a definition whose edges lead from each to the next, and from the last to the end', () => {
    const steps = [step('Get ready', { tool: 'a' }), { name: 'Sign', type: 'approval' }];
    expect(defineSequence({ name: 'Once', steps })).to.deep.equal({
      name: 'Once',
      initialStep: 'get_ready',
      steps: [
        { tool: 'a', id: 'get_ready', name: 'Get ready', type: 'task' },
        { id: 'sign', name: 'Sign', type: 'approval' },
        { id: 'end', type: 'end-flow' },
      ],
      edges: [
        { from: 'get_ready', to: 'sign' },
        { from: 'sign', to: 'end' },
      ],
    });
  });

  it('get ids that expressions can name, each its own', () => {
    expect(idsOf('Send e-mail', 'Send E-Mail', 'send e mail')).to.deep.equal([
      'send_e_mail',
      'send_e_mail_2',
      'send_e_mail_3',
      'end',
    ]);
    expect(idsOf('Prüfen', '承認', '2nd look', 'End', '…', 'Constructor')).to.deep.equal([
      'prufen',
      'step_2',
      'step_2nd_look',
      'end_2',
      'step_5',
      'step_constructor',
      'end',
    ]);
  });

  it('get ids that are allowed, however long or alike their names are', () => {
    const ids = idsOf(...Array.from({ length: 120 }, () => 'x'.repeat(200)), '__proto__', 'constructor');
    expect(new Set(ids).size).to.equal(ids.length);
    for (const id of ids) expect(id).to.match(/^[A-Za-z0-9_-]{1,64}$/);
  });

  it('are refused a config that holds what is the step’s own', () => {
    const steps = [step('a', { id: 'mine', tool: 'x' }), step('b', { type: 'http', name: 'c' })];
    expect(findSequenceProblems({ name: 'x', steps }).map(({ pointer }) => pointer)).to.deep.equal([
      '/steps/0/config/id',
      '/steps/1/config/name',
      '/steps/1/config/type',
    ]);
  });

  it('are told of problems where they were written', () => {
    const places = ['/steps/0/tool', '/steps/1/args/x', '/steps/2/type', '/steps/3/id', '/steps/4', '/name', ''];
    expect(places.map((pointer) => locateInSequence({ pointer, message: 'm' }).pointer)).to.deep.equal([
      '/steps/0/config/tool',
      '/steps/1/config/args/x',
      '/steps/2/type',
      '/steps/3/name',
      '/steps/4',
      '/name',
      '',
    ]);
  });
});
