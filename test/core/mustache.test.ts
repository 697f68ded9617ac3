// `{{…}}` in definitions: which expression each is, where it is text, and what is said of one that cannot be.

import { expect } from 'chai';
import type { Step } from '../../src/core/definition.ts';
import type { Problem } from '../../src/core/errors.ts';
import { parseExpression, type Scope } from '../../src/core/expression.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { translateMustache } from '../../src/core/mustache-definition.ts';
import { parseTemplate } from '../../src/core/template.ts';
import { validateDefinition } from '../../src/core/validation.ts';
import { createStepTypes } from '../../src/steps/registry.ts';
import { createTools } from '../../src/steps/tools.ts';
import { edges } from '../support/steps.ts';

const tools = createTools([]);
const types = createStepTypes(tools);
const ALL = ['steps', 'edges', 'output'];

const scope: Scope = {
  data: { n: 5, name: 'Ann', tags: ['a', 'b'], flag: false, order: { id: 7 }, one: 1 },
  steps: { first: { output: { score: 9 } } },
  run: { id: 'r1' },
  context: { user: 'u1' },
};

/** What `{{…}}` in a field of the second of two steps is written as, or the message about it. */
function spell(value: Json): Json {
  const steps = [{ id: 'first' }, { id: 'second', type: 'transform', output: value }];
  const link = { from: 'first', to: 'second' };
  const { definition, problems } = translateMustache({ steps, edges: [link] }, ALL, types);
  return problems[0]?.message ?? (definition['steps'] as JsonObject[])[1]!['output']!;
}

/** The same of the condition of an edge that leads from the step `first`. */
function spellCondition(condition: string): Json {
  const { definition, problems } = translateMustache({ edges: [{ from: 'first', condition }] }, ALL, types);
  return problems[0]?.message ?? (definition['edges'] as JsonObject[])[0]!['condition']!;
}

const flow = (steps: (Partial<Step> & { id: string })[], path: string, rest: object = {}) => ({
  name: 'Flow',
  initialStep: steps[0]!.id,
  steps: [...steps, { id: 'end', type: 'end-flow' }],
  edges: edges(...path.split(', ')),
  ...rest,
});
function problemsOf(definition: unknown, mustacheIn = ALL): Problem[] {
  const checked = validateDefinition(definition, types, { tools }, { mustacheIn });
  return checked.ok ? [] : checked.problems;
}

describe('{{…}} in a text', () => {
  const spelt: [Json, Json, Json][] = [
    ['{{input.n}}', '${data.n}', 5],
    ['{{ variables.n }}', '${data.n}', 5],
    ['{{lastOutput}}', '${steps.first.output}', { score: 9 }],
    ['{{lastOutput.score + input.n}}', '${steps.first.output.score + data.n}', 14],
    ['{{input}}', '${data}', scope.data],
    ['{{steps.first.output.score}}', '${steps.first.output.score}', 9],
    ['{{run.id}} {{context.user}}', '${run.id} ${context.user}', 'r1 u1'],
    ['Dear {{input.name}}, {{variables.order.id}}!', 'Dear ${data.name}, ${data.order.id}!', 'Dear Ann, 7!'],
    ['{{input.nothing}}', '${data.nothing}', null],
    ['[{{input.nothing.at.all}}]', '[${data.nothing.at.all}]', '[]'],
    ['{{input.tags[1]|upper}}', '${data.tags[1]|upper}', 'B'],
    ['{{input.tags[.length == input.one]}}', '${data.tags[.length == data.one]}', ['a', 'b']],
    ['{{ {input: input.n, "variables": 1} }}', '${{input: data.n, "variables": 1}}', { input: 5, variables: 1 }],
    ['{{data.input}}', '${data.input}', null],
    ['{{"{{input.n}}"}}', '${"{{input.n}}"}', '{{input.n}}'],
    ['{{input.flag ? "input" : variables.n}}', '${data.flag ? "input" : data.n}', 5],
    ['{"a": {{input.n}}}', '{"a": ${data.n}}', '{"a": 5}'],
    ['${data.n}{{input.n}}', '${data.n}${data.n}', '55'],
    ['costs ${{input.n}}', 'costs ${"$"}${data.n}', 'costs $5'],
    ['$${{input.n}}', '${"$$"}${data.n}', '$$5'],
    ['${{a: {b: data.n}}}', '${{a: {b: data.n}}}', { a: { b: 5 } }],
    ['$${data.n} {x} }} {', '$${data.n} {x} }} {', '${data.n} {x} }} {'],
    [{ list: ['{{input.n}}', 1] }, { list: ['${data.n}', 1] }, { list: [5, 1] }],
  ];
  for (const [written, expected, value] of spelt) {
    it(`${JSON.stringify(written)} is ${JSON.stringify(value)}`, () => {
      expect(spell(written)).to.deep.equal(expected);
      expect(parseTemplate(expected).resolve(scope)).to.deep.equal(value);
    });
  }

  it('says where it never ends', () => {
    for (const text of ['Hi {{input.n', '{{input.n}', '{{"}}', "{{input.it's}}"])
      expect(spell(text), text).to.match(/^The expression .* begins with \{\{ at character [14] and never ends/);
  });
});

describe('{{…}} in a condition', () => {
  const spelt: [string, string, boolean][] = [
    ['{{input.n}} > 4', 'data.n > 4', true],
    [
      '{{lastOutput.score}} == 9 && {{input.name}} == "Ann"',
      'steps.first.output.score == 9 && data.name == "Ann"',
      true,
    ],
    ['{{input.n > 4}}', '(data.n > 4)', true],
    ['{{input.n - 1}} * 2 == 8', '(data.n - 1) * 2 == 8', true],
    ['${{a: data.n}.a == 5}', '${{a: data.n}.a == 5}', true],
    ['data.name == "{"', 'data.name == "{"', false],
  ];
  for (const [written, expected, value] of spelt) {
    it(`${written} is ${value}`, () => {
      expect(spellCondition(written)).to.equal(expected);
      expect(parseExpression(expected).evaluate(scope)).to.equal(value);
    });
  }

  it('is no text', () => {
    for (const source of ['"{{input.name}}" == "Ann"', "'{{input.name}}' == 'Ann'"])
      expect(spellCondition(source)).to.match(/has \{\{…\}\} in quotes, where it would be a text/);
  });

  it('and in that of a step, where lastOutput is what the step before left', () => {
    const steps = [
      { id: 'a', type: 'transform', output: {} },
      { id: 'b', type: 'condition', condition: '{{lastOutput.ok}}' },
    ];
    const checked = validateDefinition(flow(steps, 'a b end'), types, { tools }, { mustacheIn: ALL });
    expect(checked.ok && checked.definition.steps[1]!['condition']).to.equal('steps.a.output.ok');
  });
});

describe('{{lastOutput}}', () => {
  const say = (id: string) => ({ id, type: 'transform', output: {} });
  const last = { id: 'last', type: 'transform', output: { was: '{{lastOutput}}' } };

  it('is that of the one step which leads here, however many edges do, and also round a loop', () => {
    const round = { id: 'again', type: 'condition', condition: 'data.more' };
    for (const definition of [
      flow([say('a'), last], 'a last end', {
        edges: [...edges('a last end'), { from: 'a', to: 'last', on: 'error' }],
      }),
      flow([last, round], 'last again end, again last'),
    ])
      expect(problemsOf(definition)).to.deep.equal([]);
  });

  it('is refused, with what to do, where none or several lead here, and in the output of the whole', () => {
    expect(problemsOf(flow([last], 'last end'))).to.deep.equal([
      {
        pointer: '/steps/0/output/was',
        message:
          'The expression "{{lastOutput}}" uses lastOutput, but no step leads here; write {{input}} for what the run began with',
      },
    ]);
    const joined = flow([say('a'), say('b'), say('c'), last], 'a b last end, a c last', { output: '{{lastOutput}}' });
    expect(problemsOf(joined)).to.deep.equal([
      {
        pointer: '/steps/3/output/was',
        message:
          'The expression "{{lastOutput}}" uses lastOutput, but several steps lead here; name the one that is meant: {{steps.b.output}}',
      },
      {
        pointer: '/output',
        message: 'The expression "{{lastOutput}}" uses lastOutput, which only steps and edges know; name a step',
      },
    ]);
  });
});

describe('a definition with {{…}}', () => {
  const text = { id: 'a', type: 'transform', output: { known: '{{input.n}}', unknown: '{{nowhere}}' } };

  it('has every problem at once, each in its place', () => {
    const wrong = flow(
      [{ id: 'a', type: 'transform', output: { a: '{{input.n', b: '{{inputs.n}}', c: '{{}}' } }],
      'a end',
      {
        no: 1,
      },
    );
    expect(problemsOf(wrong).map(({ pointer }) => pointer)).to.have.members([
      '/steps/0/output/a',
      '/steps/0/output/b',
      '/steps/0/output/c',
      '/no',
    ]);
  });

  it('means the text where it was not sent to be read', () => {
    expect(problemsOf(flow([text], 'a end'), [])).to.deep.equal([]);
    expect(problemsOf(flow([text], 'a end'), ['edges', 'output'])).to.deep.equal([]);
    expect(problemsOf(flow([text], 'a end'), ['steps'])).to.have.length(1);
    const described = flow([{ ...text, output: {}, name: '{{name}}', description: '{{x}}', 'x-note': '{{y' }], 'a end');
    expect(problemsOf(described)).to.deep.equal([]);
  });

  it('is refused quickly, however many steps lead to wherever lastOutput is', () => {
    const steps = Array.from({ length: 5_000 }, (_, index) => ({ id: `s${index}` }));
    const list = Array.from({ length: 50_000 }, () => '{{lastOutput}}');
    const wide = {
      steps: [{ id: 'a', type: 'transform', output: { list } }, ...steps],
      edges: steps.map(({ id }) => ({ from: id, to: 'a' })),
    };
    expect(translateMustache(wide, ALL, types).problems).to.have.length(100);
  });

  it('may be anything: what is wrong with it is found later', () => {
    for (const odd of [
      {},
      { steps: 1, edges: {}, output: null },
      { steps: [1, { id: [] }], edges: [null, { from: 1 }] },
    ])
      expect(translateMustache(odd, ALL, types)).to.deep.equal({ definition: odd, problems: [] });
  });

  it('is read in linear time, however its braces and quotes are', () => {
    for (const part of ['${', '$', '{{"\\"', '${{"', '"\\"', "{{'", '{', '{{{'])
      for (const tail of ['{{', '{{input}}']) {
        const long = part.repeat(50_000) + tail;
        spell(long);
        spellCondition(long);
      }
  }).timeout(10_000);
});
