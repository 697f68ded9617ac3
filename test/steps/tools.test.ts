import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Step } from '../../src/core/definition.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { StepError, type WorkContext } from '../../src/core/step-type.ts';
import { createCallTool } from '../../src/steps/call-tool.ts';
import { createTools, defineTool, isTool, loadTools, type Tool } from '../../src/steps/tools.ts';
import { NO_LOG } from '../support/no-log.ts';

const TOOLS_MODULE = JSON.stringify(new URL('../../src/steps/tools.ts', import.meta.url).href);

const context = (input: JsonObject): WorkContext => ({
  input,
  reveal: async () => input,
  runId: 'r',
  stepId: 's',
  visit: 1,
  attempt: 1,
  effectKey: 'hp_r_s_1_1',
  signal: new AbortController().signal,
  log: NO_LOG,
  openFile: () => Promise.reject(new Error('there are no files here')),
});

function run(tool: Tool, input: JsonObject): Promise<Json> {
  return createCallTool(createTools([tool])).work!(
    { id: 's', type: 'call-tool', tool: tool.name } as Step,
    context(input),
  );
}

async function failureOf(work: Promise<unknown>): Promise<StepError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof StepError) return error;
    throw error;
  }
  throw new Error('expected a StepError');
}

describe('a tool', () => {
  it('is called with its arguments and its context', async () => {
    const seen: unknown[] = [];
    const tool = defineTool<{ to: string }>({
      name: 'send',
      handler: (args, { effectKey }) => {
        seen.push(args.to, effectKey);
        return { sent: true };
      },
    });
    expect(await run(tool, { args: { to: 'ann' } })).to.deep.equal({ sent: true });
    expect(seen).to.deep.equal(['ann', 'hp_r_s_1_1']);
  });

  it('cannot change the stored input', async () => {
    const input = { args: { list: [1] } };
    const tool = defineTool<{ list: number[] }>({ name: 'push', handler: ({ list }) => list.push(2) });
    expect(await run(tool, input)).to.equal(2);
    expect(input).to.deep.equal({ args: { list: [1] } });
  });

  it('gives null when its handler returns nothing', async () => {
    expect(await run(defineTool({ name: 'quiet', handler: () => undefined as never }), {})).to.equal(null);
  });

  it('is not called with arguments that its schema does not allow', async () => {
    let calls = 0;
    const tool = defineTool({
      name: 'pay',
      input: { amount: { type: 'number' }, unit: { type: 'string', default: 'EUR' } },
      handler: (args) => ({ ...args, calls: ++calls }),
    });
    const error = await failureOf(run(tool, { args: { amount: 'much' } }));
    expect(error).to.include({ code: 'invalid_args', retryable: false, definite: true });
    expect(error.message).to.equal('The arguments do not fit the tool "pay": /amount must be a number');
    expect(await failureOf(run(tool, { args: 5 }))).to.include({ code: 'invalid_args' });
    expect(calls).to.equal(0);
    expect(await run(tool, { args: { amount: 5 } })).to.deep.equal({ amount: 5, unit: 'EUR', calls: 1 });
  });

  it('fails for good, but not definitely, when it returns what its schema does not allow', async () => {
    const tool = defineTool({ name: 'bad', output: { id: { type: 'string' } }, handler: () => ({ id: 5 }) });
    expect(await failureOf(run(tool, {}))).to.include({ code: 'invalid_output', retryable: false, definite: false });
    expect(await failureOf(run(defineTool({ name: 'text', output: { id: {} }, handler: () => 'x' }), {}))).to.include({
      code: 'invalid_output',
    });
  });

  it('passes on what its handler throws', async () => {
    const tool = defineTool({
      name: 'broken',
      handler: () => {
        throw new StepError('busy', 'Later', { retryAfterMs: 50 });
      },
    });
    expect(await failureOf(run(tool, {}))).to.include({ code: 'busy', retryAfterMs: 50 });
  });

  it('is pure only when it says so', () => {
    const callTool = createCallTool(createTools([defineTool({ name: 'effect', handler: () => null })]));
    expect(callTool.isPure!({ id: 's', type: 'call-tool', tool: 'effect' })).to.equal(false);
    expect(callTool.isPure!({ id: 's', type: 'call-tool', tool: 'echo' })).to.equal(true);
    expect(callTool.isPure!({ id: 's', type: 'call-tool', tool: 'gone' })).to.equal(false);
  });

  it('that this process does not have fails the step', async () => {
    const work = createCallTool(createTools()).work!({ id: 's', type: 'call-tool', tool: 'gone' }, context({}));
    expect(await failureOf(work)).to.include({ code: 'unknown_tool', retryable: false });
  });

  it('may not have a bad name, no handler, or a schema that cannot be used', () => {
    expect(() => defineTool({ name: 'a b', handler: () => null })).to.throw('must be 1 to 64 letters');
    expect(() => defineTool({ name: 'x' } as never)).to.throw('has no handler');
    expect(() => defineTool({ name: 'x', input: { a: { type: 'text' } }, handler: () => null })).to.throw(
      'The input schema of the tool "x" cannot be used: /a/type must be one of',
    );
  });
});

describe('echo', () => {
  it('returns its arguments', async () => {
    expect(
      await createCallTool(createTools()).work!(
        { id: 's', type: 'call-tool', tool: 'echo' },
        context({ args: { a: [1] } }),
      ),
    ).to.deep.equal({ a: [1] });
    expect(
      await createCallTool(createTools()).work!({ id: 's', type: 'call-tool', tool: 'echo' }, context({})),
    ).to.deep.equal({});
  });
});

describe('the tools of a process', () => {
  let folder: string;
  const write = (name: string, text: string) => writeFile(join(folder, name), text);
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tools-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function refusal(modules: string[]): Promise<string> {
    try {
      await loadTools(modules, folder);
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('expected a refusal');
  }

  it('are echo and whatever the modules export, by name, by default, or in a list', async () => {
    await write(
      'one.mjs',
      `import { defineTool } from ${TOOLS_MODULE};
      export const a = defineTool({ name: 'a', handler: () => 1 }); export { a as again }; export const other = 5; export const nothing = null;
      export default defineTool({ name: 'b', pure: true, handler: () => 2 });`,
    );
    await write(
      'two.ts',
      `import { defineTool } from ${TOOLS_MODULE}; const name: string = 'c';
      export const list = [defineTool({ name, handler: () => 3 }), defineTool({ name: 'd', handler: () => 4 })];`,
    );
    const tools = await loadTools(['./one.mjs', join(folder, 'two.ts')], folder);
    expect([...tools.keys()].sort()).to.deep.equal(['a', 'b', 'c', 'd', 'echo']);
    expect([...tools.values()].every(isTool)).to.equal(true);
    expect(tools.get('b')!.pure).to.equal(true);
    expect([...(await loadTools([])).keys()]).to.deep.equal(['echo']);
  });

  it('may come from a package', async () => {
    await write('package.json', '{}');
    const { mkdir } = await import('node:fs/promises');
    await mkdir(join(folder, 'node_modules/some-tools'), { recursive: true });
    await write('node_modules/some-tools/package.json', '{"name": "some-tools", "type": "module", "main": "main.js"}');
    await write(
      'node_modules/some-tools/main.js',
      `import { defineTool } from ${TOOLS_MODULE}; export default defineTool({ name: 'p', handler: () => 1 });`,
    );
    expect([...(await loadTools(['some-tools'], folder)).keys()]).to.deep.equal(['echo', 'p']);
  });

  it('are refused when a module is missing, broken or has none, and when a name is taken', async () => {
    expect(await refusal(['./gone.mjs'])).to.include('The module "./gone.mjs" of HOLDPOINT_TOOLS cannot be loaded: ');
    expect(await refusal(['no-such-package-here'])).to.include(
      '"no-such-package-here" of HOLDPOINT_TOOLS cannot be loaded',
    );
    await write('throws.mjs', 'throw new Error("boom")');
    expect(await refusal(['./throws.mjs'])).to.include('cannot be loaded: boom');
    await write('empty.mjs', 'export const x = { name: "fake", handler: () => 1 }');
    expect(await refusal(['./empty.mjs'])).to.include('exports no tool');
    await write(
      'taken.mjs',
      `import { defineTool } from ${TOOLS_MODULE}; export default defineTool({ name: 'echo', handler: () => 1 });`,
    );
    expect(await refusal(['./taken.mjs'])).to.equal('There are two tools called "echo"; rename one');
  });
});
