// `holdpoint/define`: what it answers is the JSON definition, and what is wrong in it does not compile. The second half is
// checked by tsc: a `@ts-expect-error` over a line without an error is an error itself.

import { expect } from 'chai';
import { chain, defineWorkflow } from '../../src/sdk/define.ts';

describe('holdpoint/define', () => {
  it('answers seed 001’s "Create Workflow" as the seed prints it', () => {
    const built = defineWorkflow({
      name: 'Customer Onboarding',
      description: 'Onboarding workflow for new customers',
      initialStep: 'collect-inputs-1',
      steps: [
        {
          type: 'collect-inputs',
          id: 'collect-inputs-1',
          output: { customerName: { type: 'string' }, email: { type: 'string' } },
        },
        { type: 'end-flow', id: 'end-1' },
      ],
      edges: [{ from: 'collect-inputs-1', to: 'end-1' }],
      payload: {},
    });
    expect(built).to.deep.equal(
      JSON.parse(`{
"name": "Customer Onboarding",
"description": "Onboarding workflow for new customers",
"initialStep": "collect-inputs-1",
"steps": [
{
"type": "collect-inputs",
"id": "collect-inputs-1",
"output": {
"customerName": {"type": "string"},
"email": {"type": "string"}
}
},
{
"type": "end-flow",
"id": "end-1"
}
],
"edges": [
{"from": "collect-inputs-1", "to": "end-1"}
],
"payload": {}
}`),
    );
  });

  it('answers a workflow of every kind of step as it was written', () => {
    expect(everyKind).to.deep.equal(JSON.parse(JSON.stringify(everyKind)));
    expect(everyKind.steps.map((step) => Reflect.get(step, 'type'))).to.deep.equal([
      'collect-inputs',
      'ask-human',
      'approval',
      'call-api',
      'call-tool',
      'callback',
      'wait',
      'condition',
      'transform',
      'end-flow',
    ]);
    expect(everyKind.edges).to.have.length(11);
  });

  it('has no edges where none were written', () => {
    const built = defineWorkflow({ name: 'one', initialStep: 'end', steps: [{ id: 'end', type: 'end-flow' }] });
    expect(built).to.deep.equal({
      name: 'one',
      initialStep: 'end',
      steps: [{ id: 'end', type: 'end-flow' }],
      edges: [],
    });
  });

  it('makes the edges of a chain', () => {
    expect(chain('a', 'b', 'c')).to.deep.equal([
      { from: 'a', to: 'b' },
      { from: 'b', to: 'c' },
    ]);
  });

  it('does not compile with a step that is not there, an end that it does not have, or a key that it does not take', () => {
    expect(MISTAKES).to.have.length(9);
  });
});

const everyKind = defineWorkflow({
  name: 'Every kind',
  initialStep: 'form',
  steps: [
    { id: 'form', type: 'collect-inputs', output: { amount: { type: 'number' } }, message: 'How much?' },
    { id: 'ask', type: 'ask-human', question: 'Which?', options: ['a', 'b'] },
    { id: 'decide', type: 'approval', actions: [{ id: 'yes', outcome: 'approved' }, { id: 'later' }], dueInMs: 1_000 },
    { id: 'fetch', type: 'call-api', url: 'https://example.com/${data.amount}', method: 'POST', body: { a: [1] } },
    { id: 'tool', type: 'call-tool', tool: 'echo', args: { to: '${data.email}' }, retry: { attempts: 2 } },
    { id: 'tell', type: 'callback', url: 'https://example.com/hook', waitForAnswer: true },
    { id: 'sleep', type: 'wait', duration: 'PT5M', 'x-color': 'blue' },
    { id: 'which', type: 'condition', condition: 'data.amount > 10' },
    { id: 'compute', type: 'transform', output: { total: '${data.amount * 2}' }, outputKey: 'sum' },
    { id: 'end', type: 'end-flow', result: { total: '${data.sum.total}' } },
  ],
  edges: [
    ...chain('form', 'ask', 'decide'),
    { from: 'decide', to: 'fetch', on: 'yes' },
    { from: 'decide', to: 'sleep', on: 'later' },
    { from: 'decide', to: 'end', on: 'rejected', label: 'no' },
    ...chain('fetch', 'tool', 'tell', 'which'),
    { from: 'which', to: 'compute', on: 'true' },
    { from: 'compute', to: 'end', condition: 'data.sum.total > 0', default: true },
    { from: 'fetch', to: 'end', on: 'error' },
  ],
  onCancel: 'tool',
  deadlineMs: 60_000,
});

const STEPS = [
  { id: 'gate', type: 'approval-gate' },
  { id: 'which', type: 'condition', condition: 'true' },
  { id: 'end', type: 'end-flow' },
] as const;
const HEAD = { name: 'wrong', initialStep: 'gate', steps: STEPS } as const;

const MISTAKES = [
  // @ts-expect-error no step is called "ende"
  defineWorkflow({ ...HEAD, edges: [{ from: 'gate', to: 'ende' }] }),
  // @ts-expect-error no step is called "gaet"
  defineWorkflow({ ...HEAD, edges: [{ from: 'gaet', to: 'end' }] }),
  // @ts-expect-error a chain leads through steps that are there
  defineWorkflow({ ...HEAD, edges: chain('gate', 'elsewhere', 'end') }),
  // @ts-expect-error the gate offers approve and reject
  defineWorkflow({ ...HEAD, edges: [{ from: 'gate', to: 'end', on: 'aproved' }] }),
  // @ts-expect-error a condition ends true or false
  defineWorkflow({ ...HEAD, edges: [{ from: 'which', to: 'end', on: 'approved' }] }),
  // @ts-expect-error no step is called "start"
  defineWorkflow({ ...HEAD, initialStep: 'start' }),
  // @ts-expect-error there is no such type of step
  defineWorkflow({ name: 'wrong', initialStep: 'a', steps: [{ id: 'a', type: 'call-toll', tool: 'echo' }] }),
  // @ts-expect-error a wait says how long
  defineWorkflow({ name: 'wrong', initialStep: 'a', steps: [{ id: 'a', type: 'wait' }] }),
  // @ts-expect-error an approval has a message, not a mesage
  defineWorkflow({ name: 'wrong', initialStep: 'a', steps: [{ id: 'a', type: 'approval', mesage: 'Sure?' }] }),
];
