// Creates a workflow: checks the definition, finds it a key that nobody in the workspace has, and stores it as version 1.

import { v7 as uuidv7 } from 'uuid';
import { AppError } from '../core/errors.ts';
import type { Actor } from '../core/run.ts';
import { validateDefinition } from '../core/validation.ts';
import { insertDefinition, listTakenKeys } from '../store/definitions.ts';
import type { Engine } from './engine.ts';

/** Keys are short enough for a URL; a suffix still fits behind them. */
const MAX_KEY = 60;
/** Each try reads the taken keys anew, so only as many racers at once can make it give up. */
const MAX_TRIES = 100;

/** Answers the new workflow's id and key. Throws `invalid_definition` with every problem at once. */
export async function createDefinition(
  engine: Engine,
  { actor, definition }: { actor: Actor; definition: unknown },
): Promise<{ id: string; key: string }> {
  const checked = validateDefinition(definition, engine.types, engine.known);
  if (!checked.ok) {
    const message = 'the definition has problems; details lists each with its place';
    throw new AppError('invalid_definition', message, checked.problems);
  }
  const { workspaceId, userId } = actor;
  const id = uuidv7();
  const base = slugOf(checked.definition.name);
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const key = firstFreeKey(base, await listTakenKeys(engine.db, { workspaceId, base }));
    const row = { id, workspaceId, key, createdBy: userId, body: checked.definition };
    if (await insertDefinition(engine.db, row)) return { id, key };
  }
  throw new AppError('conflict', 'many workflows of this name are being created at once; try again');
}

/** A name as a key: letters and digits of ASCII, the rest as hyphens; `workflow` when nothing is left. */
export function slugOf(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const slug = plain.replace(/[^a-z0-9]+/g, '-').slice(0, MAX_KEY);
  return slug.replace(/^-+|-+$/g, '') || 'workflow';
}

function firstFreeKey(base: string, taken: ReadonlySet<string>): string {
  if (!taken.has(base)) return base;
  let suffix = 2;
  while (taken.has(`${base}-${suffix}`)) suffix += 1;
  return `${base}-${suffix}`;
}
