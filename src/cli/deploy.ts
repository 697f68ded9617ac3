// `holdpoint deploy <file>`: a workflow from a file becomes the published version of the workflow of its name, new or not.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import type { PodWorkflow } from '../sdk/api-types.ts';
import type { HoldpointClient } from '../sdk/client.ts';
import { defineAction, readJson } from './command.ts';
import { UsageError } from './exit-codes.ts';

const OPTIONAL = new Set(['description', 'payload', 'output', 'onCancel', 'deadlineMs', 'defaults']);

interface Written {
  name: string;
  [key: string]: unknown;
}

export function addDeployCommand(program: Command): void {
  const command = program
    .command('deploy <file>')
    .description('create or update the workflow in a JSON file, or exported by a JavaScript module, and publish it')
    .option('-w, --workflow <workflow>', 'update this one, by its key or id; default the one with the same name')
    .option('--draft', 'do not publish it');
  defineAction<{ workflow?: string; draft?: true }>(command, async ({ client, output }, flags, [file]) => {
    const definition = await readDefinition(file!);
    const known = flags.workflow ?? (await findByName(client, definition.name));
    const stored =
      known === null ? await client.workflows.create(definition) : await replace(client, known, definition);
    const shown = flags.draft ? stored : await client.workflows.deploy(stored.id, { version: stored.version });
    const verb = `${known === null ? 'created' : 'updated'}${flags.draft ? '' : ' and published'}`;
    output.result(shown, [`${shown.key}  version ${stored.version}  ${verb}`]);
    return undefined;
  });
}

/** An update leaves alone what it does not name; of a file that is all of a workflow, what it lacks is to go. */
async function replace(client: HoldpointClient, id: string, definition: Written): Promise<PodWorkflow> {
  const stored = await client.workflows.get(id);
  const isLeftOver = (key: string) => (OPTIONAL.has(key) || key.startsWith('x-')) && !Object.hasOwn(definition, key);
  const leftOver = Object.keys(stored).filter(isLeftOver);
  const changes = { ...Object.fromEntries(leftOver.map((key) => [key, null])), edges: [], ...definition };
  return client.workflows.update(id, changes, { ifVersion: stored.version });
}

/** From JSON, or the one export of a module that looks like a definition. Throws `UsageError`. */
async function readDefinition(file: string): Promise<Written> {
  if (/\.[cm]?tsx?$/.test(file)) throw new UsageError(`${file} is TypeScript: compile it, and deploy the JavaScript`);
  const values = /\.[cm]?js$/.test(file) ? await importAll(file) : [readJson(file === '-' ? file : `@${file}`, file)];
  const found = values.filter(isWritten);
  if (found.length === 1) return found[0]!;
  throw new UsageError(
    found.length === 0
      ? `${file} holds no workflow: an object with name, initialStep and steps`
      : `${file} exports ${found.length} workflows: give each a file of its own`,
  );
}

async function importAll(file: string): Promise<unknown[]> {
  if (!existsSync(file)) throw new UsageError(`${file}: there is no such file`);
  const refuse = (error: unknown): never => {
    throw new UsageError(`${file}: ${error instanceof Error ? error.message : error}`);
  };
  const module: unknown = await import(pathToFileURL(resolve(file)).href).catch(refuse);
  return [...new Set(Object.values(module as object))];
}

function isWritten(value: unknown): value is Written {
  if (typeof value !== 'object' || value === null) return false;
  const { name, steps } = value as Record<string, unknown>;
  return typeof name === 'string' && Array.isArray(steps);
}

/** The key of the workflow that has exactly this name; null when there is none. Throws `UsageError` when several have. */
async function findByName(client: HoldpointClient, name: string): Promise<string | null> {
  const found: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await client.workflows.list({ search: name, limit: 200, ...(cursor === null ? {} : { cursor }) });
    found.push(...page.items.filter((workflow) => workflow.name === name).map(({ key }) => key));
    cursor = page.nextCursor;
  } while (cursor !== null);
  if (found.length > 1)
    throw new UsageError(`several workflows are called "${name}": say which with --workflow (${found.join(', ')})`);
  return found[0] ?? null;
}
