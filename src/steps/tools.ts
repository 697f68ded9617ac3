// Tools: what a call-tool step can do, written in TypeScript by whoever runs Holdpoint. This file is also the public
// module `holdpoint/tools`. It knows how to define, load and list them; calling one is steps/call-tool.ts.

import { createRequire } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Problem } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { findPayloadProblems } from '../core/schema-rules.ts';
import type { WorkContext } from '../core/step-type.ts';
import type { Encode } from '../core/template.ts';

// biome-ignore lint/performance/noBarrelFile: one public module is all that a tool's author imports
export { type OpenedFile, StepError, type WorkContext } from '../core/step-type.ts';

/** What a tool is made of. Schemas are JSON Schema iff their `type` is the text `object`, else field maps. */
export interface ToolSpec<Args extends JsonObject = JsonObject> {
  /** What definitions call it: 1 to 64 letters, digits, `_`, `.` or `-`. */
  name: string;
  description?: string;
  input?: JsonObject;
  output?: JsonObject;
  /**
   * It touches nothing outside, and may be run any number of times: also before the steps that led to it are stored, and in vain when the
   * run was held or cancelled meanwhile. So its steps are several times as fast as others. Default: false.
   */
  pure?: boolean;
  /** Problems of arguments as a definition has them, `${…}` not filled in; pointers begin at the arguments. */
  check?(args: JsonObject): Problem[];
  /** How values are put into the text at `pointer` of the arguments, as in a URL. Default: as they are. */
  encode?(args: JsonObject, pointer: string): Encode | undefined;
  /**
   * Runs the tool. Where the arguments name secrets they have placeholders; `(await context.reveal()).args` has the values.
   * Throw a `StepError` to say whether a failure may be retried.
   */
  handler(args: Args, context: WorkContext): Json | Promise<Json>;
}

export interface Tool extends ToolSpec {
  readonly pure: boolean;
  readonly [TOOL_MARK]: true;
}

export type Tools = ReadonlyMap<string, Tool>;

/** Registered, so that a tool made by another copy of this module is one too. */
const TOOL_MARK: unique symbol = Symbol.for('holdpoint.tool');
const TOOL_NAME = /^[A-Za-z0-9_.-]{1,64}$/;

/** A tool for `HOLDPOINT_TOOLS`; throws when its name or a schema cannot be used. */
export function defineTool<Args extends JsonObject = JsonObject>(spec: ToolSpec<Args>): Tool {
  if (typeof spec.name !== 'string' || !TOOL_NAME.test(spec.name)) {
    throw new Error(`A tool's name must be 1 to 64 letters, digits, "_", "." or "-", not ${JSON.stringify(spec.name)}`);
  }
  if (typeof spec.handler !== 'function') throw new Error(`The tool "${spec.name}" has no handler`);
  for (const part of ['input', 'output'] as const) {
    const problems = spec[part] === undefined ? [] : findPayloadProblems(spec[part]);
    const listed = problems.map(
      ({ pointer, message, hint }) => `${pointer || '/'} ${message}${hint ? ` (${hint})` : ''}`,
    );
    if (listed.length > 0)
      throw new Error(`The ${part} schema of the tool "${spec.name}" cannot be used: ${listed.join('; ')}`);
  }
  // The step checks the arguments against `input` before it calls the handler, which is what makes them `Args`.
  const handler = spec.handler as ToolSpec['handler'];
  return Object.freeze({ ...spec, handler, pure: spec.pure ?? false, [TOOL_MARK]: true as const });
}

const echo = defineTool({ name: 'echo', description: 'Returns its arguments', pure: true, handler: (args) => args });

/** The tools of a process: `echo`, those that are `builtIn`, and `tools`; throws on a name that is taken. */
export function createTools(tools: Iterable<Tool> = [], builtIn: readonly Tool[] = []): Tools {
  const known = new Map<string, Tool>([[echo.name, echo]]);
  for (const tool of [...builtIn, ...tools]) {
    if (known.has(tool.name) && known.get(tool.name) !== tool)
      throw new Error(`There are two tools called "${tool.name}"; rename one`);
    known.set(tool.name, tool);
  }
  return known;
}

/** Imports modules, by path (relative to `cwd`) or package name, and takes every tool they export, alone or in a list. */
export async function loadTools(
  modules: readonly string[],
  cwd = process.cwd(),
  builtIn: readonly Tool[] = [],
): Promise<Tools> {
  const found: Tool[] = [];
  for (const name of modules) {
    const tools = findTools(await importModule(name, cwd));
    if (tools.length === 0)
      throw new Error(`The module "${name}" of HOLDPOINT_TOOLS exports no tool; export what defineTool returns`);
    found.push(...tools);
  }
  return createTools(found, builtIn);
}

export function isTool(value: unknown): value is Tool {
  return typeof value === 'object' && value !== null && TOOL_MARK in value;
}

async function importModule(name: string, cwd: string): Promise<object> {
  try {
    return (await import(locate(name, cwd))) as object;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`The module "${name}" of HOLDPOINT_TOOLS cannot be loaded: ${reason}`, { cause });
  }
}

function locate(name: string, cwd: string): string {
  if (name.startsWith('.') || isAbsolute(name) || /\.[cm]?[jt]s$/.test(name))
    return pathToFileURL(resolve(cwd, name)).href;
  try {
    return pathToFileURL(createRequire(join(cwd, 'package.json')).resolve(name)).href;
  } catch {
    // A package with an `import` export only: found from here, as any dependency is.
    return name;
  }
}

function findTools(module: object): Tool[] {
  return [...new Set(Object.values(module).flat().filter(isTool))];
}
