import { expect } from 'chai';
import type { Problem } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { validateDefinition } from '../../src/core/validation.ts';
import { createStepTypes } from '../../src/steps/registry.ts';
import { createTools, defineTool } from '../../src/steps/tools.ts';

const mail = defineTool({
  name: 'send-email',
  input: { to: { type: 'string' }, cc: { type: 'string', required: false } },
  handler: () => null,
});
const tools = createTools([mail]);
const types = createStepTypes(tools);
const validate = (input: unknown) => validateDefinition(input, types, { tools });

const end = { id: 'end', type: 'end-flow' };
const flow = (steps: unknown[], edges: unknown[], rest: JsonObject = {}) => ({
  name: 'Flow',
  initialStep: 'a',
  steps,
  edges,
  ...rest,
});
const single = (step: JsonObject, rest: JsonObject = {}) =>
  flow([{ id: 'a', ...step }, end], [{ from: 'a', to: 'end' }], rest);

function problemsOf(input: unknown): Problem[] {
  const result = validate(input);
  return result.ok ? [] : result.problems;
}

/** The one problem of a definition, as `pointer: message (hint)`. */
function problemOf(input: unknown): string {
  const problems = problemsOf(input);
  expect(problems.map(({ pointer, message }) => `${pointer}: ${message}`)).to.have.length(1);
  const [{ pointer, message, hint }] = problems as [Problem];
  return `${pointer}: ${message}${hint === undefined ? '' : ` (${hint})`}`;
}

describe('a definition', () => {
  it("may be the seed's, word for word", () => {
    const seed = {
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
    };
    expect(validate(seed)).to.deep.equal({ ok: true, definition: seed });
  });

  it("may be the flow behind the seed's pauses", () => {
    const result = validate({
      name: 'Budget approval',
      initialStep: 'approval-inputs',
      steps: [
        {
          id: 'approval-inputs',
          type: 'collect-inputs',
          output: { approvalReason: { type: 'string' }, approvedAmount: { type: 'number' } },
        },
        {
          id: 'manager-approval',
          type: 'request-user-action',
          actions: [
            { id: 'approve', label: 'Approve' },
            { id: 'reject', label: 'Reject' },
          ],
        },
        {
          id: 'send-email-1',
          type: 'call-tool',
          tool: 'echo',
          args: { to: '${data.email}', reason: 'Because ${data.approvalReason}' },
        },
        { id: 'end', type: 'end-flow' },
        {
          id: 'rejected',
          type: 'end-flow',
          status: 'failed',
          error: 'Rejected by ${steps.manager-approval.output.decidedBy}',
        },
      ],
      edges: [
        { from: 'approval-inputs', to: 'manager-approval', condition: 'data.approvedAmount > 100' },
        { from: 'approval-inputs', to: 'send-email-1', default: true },
        { from: 'manager-approval', to: 'send-email-1', on: 'approve' },
        { from: 'manager-approval', to: 'rejected', on: 'rejected' },
        { from: 'send-email-1', to: 'end' },
        { from: 'send-email-1', to: 'rejected', on: 'error' },
      ],
      payload: { vendorId: { type: 'string' }, budget: { type: 'number' } },
    });
    expect(result.ok).to.equal(true);
  });

  it('is answered in its normal form: canonical types, presets, canonical fields; extensions are kept', () => {
    const result = validate(
      flow(
        [
          { id: 'a', type: 'ask-human', question: 'Which one?', options: ['x', 'y'], 'x-position': { x: 1 } },
          { id: 'b', type: 'approval' },
          { id: 'c', type: 'task', toolId: 'echo' },
          end,
        ],
        [
          { from: 'a', to: 'b', 'x-color': 'red' },
          { from: 'b', to: 'c' },
          { from: 'c', to: 'end' },
        ],
        { 'x-editor': [1] },
      ),
    );
    expect(result.ok && result.definition).to.deep.equal({
      name: 'Flow',
      initialStep: 'a',
      'x-editor': [1],
      steps: [
        {
          id: 'a',
          type: 'collect-inputs',
          question: 'Which one?',
          output: { answer: { type: 'string', enum: ['x', 'y'] } },
          'x-position': { x: 1 },
        },
        {
          id: 'b',
          type: 'request-user-action',
          actions: [
            { id: 'approve', label: 'Approve' },
            { id: 'reject', label: 'Reject' },
          ],
        },
        { id: 'c', type: 'call-tool', tool: 'echo' },
        end,
      ],
      edges: [
        { from: 'a', to: 'b', 'x-color': 'red' },
        { from: 'b', to: 'c' },
        { from: 'c', to: 'end' },
      ],
    });
  });

  it('is not changed by its validation, and its normal form is valid and the same again', () => {
    const input = flow([{ id: 'a', type: 'approval' }, end], [{ from: 'a', to: 'end' }]);
    const before = structuredClone(input);
    const result = validate(input);
    expect(input).to.deep.equal(before);
    expect(result.ok && validate(result.definition)).to.deep.equal(result);
  });

  it('may be a single end, without edges', () => {
    expect(validate({ name: 'x', initialStep: 'end', steps: [end] })).to.deep.equal({
      ok: true,
      definition: { name: 'x', initialStep: 'end', steps: [end], edges: [] },
    });
  });

  it('may loop, also onto the same step', () => {
    expect(
      problemsOf(
        flow(
          [{ id: 'a', type: 'approval' }, end],
          [
            { from: 'a', to: 'a', on: 'reject' },
            { from: 'a', to: 'end', on: 'approve' },
          ],
        ),
      ),
    ).to.deep.equal([]);
  });

  it('of 10,000 steps is valid', () => {
    const steps = Array.from({ length: 9_999 }, (_, index) => ({
      id: `s${index}`,
      type: 'call-tool',
      tool: 'echo',
      args: { n: `\${data.n${index % 7}}` },
    }));
    const edges = steps.map((step, index) => ({ from: step.id, to: steps[index + 1]?.id ?? 'end' }));
    expect(problemsOf({ name: 'Big', initialStep: 's0', steps: [...steps, end], edges })).to.deep.equal([]);
  });
});

describe('a definition with a problem', () => {
  const cases: [string, unknown, string][] = [
    ['is no object', [], '/: must be an object'.replace('/', '')],
    ['has no name', { ...single({ type: 'approval' }), name: undefined }, '/name: is required'],
    ['has an empty name', { ...single({ type: 'approval' }), name: '' }, '/name: must not be empty'],
    [
      'has a name of 300 characters',
      { ...single({ type: 'approval' }), name: 'n'.repeat(300) },
      '/name: must have at most 200 characters',
    ],
    [
      'has a misspelt key',
      single({ type: 'approval' }, { descripton: 'x' }),
      '/descripton: is an unknown key (did you mean "description"?; a key of your own begins with "x-")',
    ],
    ['has a deadline of nothing', single({ type: 'approval' }, { deadlineMs: 0 }), '/deadlineMs: must be 1 or more'],
    [
      'gives a step that waits the deadline of one that works',
      single({ type: 'approval', deadlineMs: 5 }),
      '/steps/0/deadlineMs: is for steps that work, as call-tool does (leave it out; a step that waits for somebody takes dueInMs)',
    ],
    ['has no steps', { name: 'x', initialStep: 'a', steps: [] }, '/steps: must have at least 1 item(s)'],
    [
      'starts nowhere',
      { ...single({ type: 'approval' }), initialStep: 'b' },
      '/initialStep: names "b", but no step has that id',
    ],
    [
      'has a step of an unknown type',
      single({ type: 'call-tol' }),
      '/steps/0/type: is an unknown step type, "call-tol" (did you mean "call-tool"?)',
    ],
    [
      'has a step of a later type',
      single({ type: 'call-llm' }),
      '/steps/0/type: "call-llm" is not available in this version',
    ],
    [
      'has an unknown tool',
      single({ type: 'call-tool', tool: 'send-mail' }),
      '/steps/0/tool: is an unknown tool, "send-mail" (did you mean "send-email"?)',
    ],
    ['calls no tool', single({ type: 'call-tool' }), '/steps/0/tool: is required (known are echo, send-email)'],
    [
      'leaves out an argument',
      single({ type: 'call-tool', tool: 'send-email', args: {} }),
      '/steps/0/args/to: is required by the tool "send-email"',
    ],
    [
      'has text for arguments',
      single({ type: 'call-tool', tool: 'echo', args: 'x' }),
      '/steps/0/args: must be an object, or one ${…} that gives one',
    ],
    [
      'has a misspelt field in a step',
      single({ type: 'approval', mesage: 'x' }),
      '/steps/0/mesage: is an unknown key (did you mean "message"?; a key of your own begins with "x-")',
    ],
    [
      'has an edge to nowhere',
      flow(
        [{ id: 'a', type: 'approval' }, end],
        [
          { from: 'a', to: 'end' },
          { from: 'a', to: 'ned' },
        ],
      ),
      '/edges/1/to: names "ned", but no step has that id (did you mean "end"?)',
    ],
    [
      'has an edge that cannot be followed',
      flow([{ id: 'a', type: 'approval' }, end], [{ from: 'a', to: 'end', on: 'approvd' }]),
      '/edges/0/on: is "approvd", but step "a" cannot end that way (did you mean "approve"?)',
    ],
    [
      'has an outcome on a tool',
      flow(
        [{ id: 'a', type: 'call-tool', tool: 'echo' }, end],
        [
          { from: 'a', to: 'end' },
          { from: 'a', to: 'end', on: 'true' },
        ],
      ),
      '/edges/1/on: is "true", but step "a" cannot end that way (known are error, timeout)',
    ],
    [
      'has a boolean for `on`',
      flow([{ id: 'a', type: 'condition', condition: 'data.x' }, end], [{ from: 'a', to: 'end', on: true }]),
      '/edges/0/on: must be text (write it in quotes, as in "true")',
    ],
    [
      'has the same edge twice',
      flow(
        [{ id: 'a', type: 'approval' }, end],
        [
          { from: 'a', to: 'end' },
          { from: 'a', to: 'end', label: 'x' },
        ],
      ),
      '/edges/1: is the same edge as /edges/0 (remove one)',
    ],
    [
      'goes on after its end',
      flow(
        [{ id: 'a', type: 'approval' }, end],
        [
          { from: 'a', to: 'end' },
          { from: 'end', to: 'a' },
        ],
      ),
      '/edges/1/from: leaves "end", which ends the run (nothing follows an end-flow)',
    ],
    [
      'has a step that cannot be reached',
      flow([{ id: 'a', type: 'approval' }, { id: 'b', type: 'approval' }, end], [{ from: 'a', to: 'end' }]),
      '/steps/1: "b" can never be reached (add an edge to it, or remove it)',
    ],
    [
      'never ends',
      flow([{ id: 'a', type: 'approval' }], []),
      '/steps: has no end-flow step, so nothing ends the run (add {"id": "end", "type": "end-flow"} and an edge to it)',
    ],
    [
      'cleans up with a step that waits',
      single({ type: 'approval' }, { onCancel: 'a' }),
      '/onCancel: names a request-user-action step; cleaning up needs one that works (name a call-tool step)',
    ],
    [
      'cleans up with no step',
      single({ type: 'approval' }, { onCancel: 'b' }),
      '/onCancel: names "b", but no step has that id (known are a, end)',
    ],
    [
      'reads a step that is not there',
      single({ type: 'approval', message: 'Hi ${steps.b.output.x}' }),
      '/steps/0/message: reads the output of "b", but no step has that id (known are a, end)',
    ],
    [
      'reads one in a condition',
      flow([{ id: 'a', type: 'approval' }, end], [{ from: 'a', to: 'end', condition: 'steps.b.output' }]),
      '/edges/0/condition: reads the output of "b", but no step has that id (known are a, end)',
    ],
    [
      'has a bad expression in a field',
      single({ type: 'call-tool', tool: 'echo', args: { a: ['${data.'] } }),
      '/steps/0/args/a/0: The expression "${data." begins with ${ at character 1 and never ends; a literal ${ is written $${',
    ],
    [
      'attacks in a condition',
      single({ type: 'condition', condition: 'data.constructor' }),
      '/steps/0/condition: The expression "data.constructor" uses "constructor", which expressions can neither read nor write',
    ],
    [
      'has a bad output',
      single({ type: 'approval' }, { output: { a: '${x}' } }),
      '/output/a: The expression "${x}" uses "x", which is not known here',
    ],
    [
      'has a bad payload',
      single({ type: 'approval' }, { payload: { email: 'string' } }),
      '/payload/email: must be a schema (write {"type": "string"})',
    ],
    [
      'has a pattern in a field that only backtracking could match',
      single({ type: 'collect-inputs', output: { a: { type: 'string', pattern: '^(?!b)a+$' } } }),
      '/steps/0/output/a/pattern: cannot be matched in linear time',
    ],
    [
      'asks for nothing',
      single({ type: 'collect-inputs' }),
      '/steps/0/output: is required (name the fields to ask for: {"email": {"type": "string"}})',
    ],
    [
      'tries 1e9 times',
      single({ type: 'approval', retry: { attempts: 1e9 } }),
      '/steps/0/retry/attempts: must be 50 or less',
    ],
    [
      'waits 1e18 ms between tries',
      single({ type: 'approval', retry: { delayMs: 1e18 } }),
      '/steps/0/retry/delayMs: must be 31536000000 or less',
    ],
    ['has a negative timeout', single({ type: 'approval', timeoutMs: -1 }), '/steps/0/timeoutMs: must be 1 or more'],
    ['loops too often', single({ type: 'approval', maxVisits: 1_001 }), '/steps/0/maxVisits: must be 1000 or less'],
    [
      'has bad defaults',
      single({ type: 'approval' }, { defaults: { retry: { jitter: 2 } } }),
      '/defaults/retry/jitter: must be 1 or less',
    ],
    [
      'has an output key that is reserved',
      single({ type: 'approval', outputKey: '__proto__' }),
      '/steps/0/outputKey: cannot be "__proto__" (choose another key)',
    ],
    ['waits for nothing', single({ type: 'wait' }), '/steps/0: needs exactly one of durationMs, duration and until'],
    [
      'holds a NUL',
      single({ type: 'approval', message: 'a\u0000' }),
      '/steps/0/message: holds a NUL character or a lone surrogate, which cannot be stored (send well-formed text)',
    ],
  ];
  for (const [what, input, expected] of cases) {
    it(`is refused when it ${what}`, () =>
      expect(
        problemOf(JSON.parse(JSON.stringify(input))).startsWith(expected),
        `${problemOf(JSON.parse(JSON.stringify(input)))}`,
      ).to.equal(true));
  }

  for (const id of ['__proto__', 'constructor', 'prototype', 'a:b', '../x', '😀', 'x'.repeat(300), '', 'a b']) {
    it(`is refused when a step is called ${JSON.stringify(id.slice(0, 20))}`, () => {
      const problems = problemsOf({ name: 'x', initialStep: id, steps: [{ id, type: 'end-flow' }], edges: [] });
      expect(problems.map(({ pointer }) => pointer)).to.deep.equal(['/steps/0/id']);
    });
  }

  it('is refused when two steps have one id', () => {
    expect(
      problemsOf(
        flow([{ id: 'a', type: 'approval' }, { id: 'a', type: 'approval' }, end], [{ from: 'a', to: 'end' }]),
      )[0],
    ).to.deep.equal({
      pointer: '/steps/1/id',
      message: 'is "a", the id of step 0 too',
      hint: 'give each step its own id',
    });
  });

  it('is told where its steps have no shape, whatever stands there instead', () => {
    const odd = { toString: null } as never;
    const pointersOf = (step: object) => problemsOf(single(step as never)).map(({ pointer }) => pointer);
    expect(pointersOf({ type: 'approval', actions: [{ id: 'yes', label: odd }] })).to.deep.equal([
      '/steps/0/actions/0/label',
    ]);
    expect(pointersOf({ type: 'call-tool', tool: odd, args: {} })).to.deep.equal(['/steps/0/tool']);
    expect(pointersOf({ type: 'condition', condition: odd })).to.deep.equal(['/steps/0/condition']);
  });

  it('is told where its edges are no edges, whatever stands there instead', () => {
    const odd = { toString: null } as never;
    const edge = (part: object) =>
      problemsOf(flow([{ id: 'a', type: 'approval' }, end], [{ from: 'a', to: 'end', ...part }]));
    expect(edge({ on: odd }).map(({ pointer }) => pointer)).to.deep.equal(['/edges/0/on']);
    expect(edge({ default: odd }).map(({ pointer }) => pointer)).to.deep.equal(['/edges/0/default']);
    expect(edge({ condition: odd }).map(({ pointer }) => pointer)).to.deep.equal(['/edges/0/condition']);
    expect(edge({ from: odd }).map(({ pointer }) => pointer)).to.include('/edges/0/from');
  });

  it('is told everything at once', () => {
    const problems = problemsOf({
      name: '',
      initialStep: 'x',
      steps: [
        { id: 'a b', type: 'nope' },
        { id: 'c', type: 'condition', condition: '1 +' },
        { id: 'd', type: 'approval', timeoutMs: 'soon', message: '${y}' },
      ],
      edges: [{ from: 'c', to: 'q', condition: '(' }, { from: 'd' }],
      payload: { f: { $ref: '#' } },
      extra: 1,
    });
    expect(problems.map(({ pointer }) => pointer)).to.have.members([
      '/name',
      '/extra',
      '/edges/1/to',
      '/steps/0/id',
      '/steps/0/type',
      '/steps/1/condition',
      '/steps/2/timeoutMs',
      '/steps/2/message',
      '/payload/f/$ref',
      '/edges/0/to',
      '/edges/0/condition',
      '/initialStep',
    ]);
  });

  it('is refused when its expressions are built in too many ways, though not when they differ in names and numbers', () => {
    const conditions = (write: (index: number) => string) => {
      const edges = Array.from({ length: 3_000 }, (_, index) => ({ from: 'a', to: 'end', condition: write(index) }));
      return problemsOf(flow([{ id: 'a', type: 'approval' }, end], edges));
    };
    expect(conditions((index) => `data.x${index} > ${index} && data.name == "n${index}"`)).to.deep.equal([]);
    const operators = ['+', '-', '*', '/', '=='];
    const unlike = conditions((index) =>
      [1, 5, 25, 125, 625]
        .map((power) => `data.x ${operators[Math.floor(index / power) % 5]} `)
        .join('')
        .concat('1'),
    );
    expect(unlike).to.have.length(100);
    expect(unlike[0]!.pointer).to.match(/^\/edges\/\d+\/condition$/);
    expect(unlike[0]!.message).to.include('one too many that is built unlike the others; write them alike');
  });

  it('may have 60,000 different conditions, but not as many names and values as take long to check (S-48)', () => {
    const conditions = (count: number, write: (index: number) => string) =>
      problemsOf(
        flow(
          [{ id: 'a', type: 'approval' }, end],
          Array.from({ length: count }, (_, index) => ({ from: 'a', to: 'end', condition: write(index) })),
        ),
      );
    expect(conditions(60_000, (index) => `data.x == ${index}`)).to.deep.equal([]);
    const long = conditions(400, (index) => `[${'1,'.repeat(4_900)}${index}] == []`);
    expect(long).to.have.length(100);
    expect(long[0]).to.include({ pointer: '/edges/50/condition' });
    expect(long[0]!.message).to.match(
      /is one too many: the expressions of a workflow have at most 500000 names, values and signs together$/,
    );
  });

  it('is told a hundred problems at most', () => {
    const steps = Array.from({ length: 10_000 }, (_, index) => ({ id: `a:${index}`, type: 'nope' }));
    const edges = Array.from({ length: 100_000 }, () => ({ from: 'q', to: 'w' }));
    expect(problemsOf({ name: 'x', initialStep: 'z', steps, edges })).to.have.length(100);
  });

  it('is refused past its limits', () => {
    const steps = Array.from({ length: 10_001 }, (_, index) => ({ id: `s${index}`, type: 'end-flow' }));
    expect(problemsOf({ name: 'x', initialStep: 's0', steps, edges: [] })[0]).to.deep.equal({
      pointer: '/steps',
      message: 'must have at most 10000 item(s)',
    });
    const edges = Array.from({ length: 100_001 }, (_, index) => ({ from: 'a', to: 'end', label: `${index}` }));
    expect(problemsOf(flow([{ id: 'a', type: 'approval' }, end], edges))[0]).to.deep.equal({
      pointer: '/edges',
      message: 'must have at most 100000 item(s)',
    });
    expect(problemsOf(single({ type: 'approval', 'x-blob': 'x'.repeat(5_300_000) }))[0]!.message).to.equal(
      'is larger than 5242880 bytes as JSON',
    );
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    expect(problemsOf(single({ type: 'approval', 'x-deep': deep as never }))[0]!.message).to.equal(
      'is nested deeper than 64 levels',
    );
    expect(problemsOf({ ...single({ type: 'approval' }), edges: 'x' })[0]).to.deep.equal({
      pointer: '/edges',
      message: 'must be a list',
    });
    expect(
      problemsOf({ name: 'x', initialStep: 's', steps: [null, 5, {}], edges: [null] }).map(({ pointer }) => pointer),
    ).to.include.members(['/steps/0', '/steps/1', '/steps/2/id', '/edges/0']);
  });
});
