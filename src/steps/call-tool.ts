// A step that runs one of the process's tools as a job. Arguments are checked before the handler is called, so a wrong one
// has certainly had no effect.

import type { Step } from '../core/definition.ts';
import type { Problem } from '../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { compilePayload } from '../core/schema.ts';
import { findSecretNames, findSecretProblems } from '../core/secret-templates.ts';
import { type Known, StepError, type StepType, type WorkContext } from '../core/step-type.ts';
import { suggestName } from '../core/suggestion.ts';
import type { Tool, Tools } from './tools.ts';

export function createCallTool(tools: Tools): StepType {
  return {
    type: 'call-tool',
    aliases: ['task'],
    mergesOutput: true,
    properties: {
      tool: { type: 'string', minLength: 1, maxLength: 64 },
      toolId: { type: 'string', minLength: 1, maxLength: 64 },
      args: { type: ['object', 'string'] },
    },
    templates: ['args'],
    interpolation(step) {
      // Asked before it is known that the name is one.
      const name = step['tool'] ?? step['toolId'];
      const tool = typeof name === 'string' ? tools.get(name) : undefined;
      const args = isJsonObject(step['args']) ? step['args'] : {};
      return { secrets: true, ...(tool?.encode ? { encode: (pointer) => tool.encode!(args, pointer) } : {}) };
    },
    normalise,
    check: (step, known) => [...checkCall(step, known), ...checkSecrets(step, tools)],
    isPure: (step) => tools.get(String(step['tool']))?.pure ?? false,

    work: (step, context) => callTool(tools.get(String(step['tool'])), step, context),
  };
}

function normalise(step: Step): Step {
  const { toolId, ...rest } = step;
  const tool = step['tool'] ?? toolId;
  return { ...rest, type: 'call-tool', ...(tool === undefined ? {} : { tool }) };
}

function checkCall(step: Step, known: Known): Problem[] {
  const { tool, args } = step;
  if (typeof tool !== 'string')
    return [{ pointer: '/tool', message: 'is required', hint: `known are ${[...known.tools.keys()].join(', ')}` }];
  const found = known.tools.get(tool);
  if (!found)
    return [
      { pointer: '/tool', message: `is an unknown tool, "${tool}"`, hint: suggestName(tool, known.tools.keys()) },
    ];
  if (typeof args === 'string' && !args.includes('${'))
    return [{ pointer: '/args', message: `must be an object, or one \${…} that gives one` }];
  if (typeof args === 'string') return [];
  const given = isJsonObject(args) ? args : {};
  const required = found.input ? compilePayload(found.input).requiredFields : [];
  const missing = required.filter((name) => !Object.hasOwn(given, name));
  return [
    ...missing.map((name) => ({ pointer: `/args/${name}`, message: `is required by the tool "${tool}"` })),
    ...(found.check?.(given) ?? []).map((problem) => ({ ...problem, pointer: `/args${problem.pointer}` })),
  ];
}

/** A pure tool reaches nothing outside, so there is nobody to show a secret to. */
function checkSecrets({ tool, args }: Step, tools: Tools): Problem[] {
  const names = findSecretNames(args);
  if (!tools.get(String(tool))?.pure || names.size === 0) return findSecretProblems(names, '/args');
  const message = `names a secret, but the tool "${tool}" is pure and reaches nothing outside`;
  return [{ pointer: '/args', message, hint: 'secrets are for tools that are not pure, and for call-api' }];
}

async function callTool(tool: Tool | undefined, step: Step, context: WorkContext): Promise<Json> {
  if (!tool) throw refuse('unknown_tool', `This process has no tool "${step['tool']}"`, true);
  const args = checkArgs(tool, context.input['args'] ?? {});
  const output = (await tool.handler(args, context)) ?? null;
  return tool.output ? checkOutput(tool, tool.output, output) : output;
}

function checkArgs(tool: Tool, args: Json): JsonObject {
  if (!isJsonObject(args))
    throw refuse('invalid_args', `The arguments of the tool "${tool.name}" must be an object`, true);
  const result = tool.input ? compilePayload(tool.input).validate(args) : { ok: true as const, value: args };
  if (!result.ok)
    throw refuse('invalid_args', `The arguments do not fit the tool "${tool.name}": ${list(result.problems)}`, true);
  // A handler may change what it is given; the stored input must stay as it is for the next attempt.
  return JSON.parse(JSON.stringify(result.value));
}

function checkOutput(tool: Tool, schema: JsonObject, output: Json): Json {
  const result = isJsonObject(output) ? compilePayload(schema).validate(output) : null;
  if (result?.ok) return result.value;
  const reason = result ? list(result.problems) : 'it is no object';
  throw refuse(
    'invalid_output',
    `The tool "${tool.name}" returned what its output schema does not allow: ${reason}`,
    false,
  );
}

/** Trying again would not help: the same arguments, or an effect that has happened. */
function refuse(code: string, message: string, definite: boolean): StepError {
  return new StepError(code, message, { retryable: false, definite });
}

function list(problems: readonly Problem[]): string {
  return problems.map(({ pointer, message }) => `${pointer || 'the whole'} ${message}`).join('; ');
}
