// Creates a workflow: checks the definition, finds it a key that nobody in the workspace has, and stores it as version 1.

import { v7 as uuidv7 } from 'uuid';
import type { AuditEntry } from '../core/audit.ts';
import { AppError } from '../core/errors.ts';
import type { Actor } from '../core/run.ts';
import { recordChange } from '../store/audit.ts';
import { insertDefinition } from '../store/definition-changes.ts';
import { findDefinition, listTakenKeys } from '../store/definitions.ts';
import { checkDefinition } from './check-definition.ts';
import type { Engine } from './engine.ts';

/** Keys are short enough for a URL; a suffix still fits behind them. */
const MAX_KEY = 60;
/** Each try reads the taken keys anew, so only as many racers at once can make it give up. */
const MAX_TRIES = 100;

export interface CreateRequest {
  actor: Actor;
  definition: unknown;
  /** `{{…}}` in it is an expression. */
  hasMustache?: boolean;
  /** Default: the workspace's default pod. */
  podId?: string;
  /** The id it gets; what was created with it before is answered. */
  id?: string;
  /** Id of the workflow that this one is a copy of. */
  clonedFrom?: string;
}

/** Answers the new workflow's id and key. Throws `invalid_definition` with every problem at once. */
export async function createDefinition(
  engine: Engine,
  { actor, definition, hasMustache = false, podId, id, clonedFrom }: CreateRequest,
): Promise<{ id: string; key: string }> {
  const mustacheIn = hasMustache ? ['steps', 'edges', 'output'] : [];
  const body = checkDefinition(engine, definition, { mustacheIn });
  const { workspaceId, userId } = actor;
  const base = slugOf(body.name);
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const existing = id === undefined ? null : await findDefinition(engine.db, { workspaceId, idOrKey: id });
    if (existing !== null) return existing;
    const key = firstFreeKey(base, await listTakenKeys(engine.db, { workspaceId, base }));
    const row = {
      id: id ?? uuidv7(),
      workspaceId,
      key,
      createdBy: userId,
      body,
      ...(podId === undefined ? {} : { podId }),
    };
    const isNew = await recordChange(engine.db, actor, {
      change: (connection) => insertDefinition(connection, row),
      tell: (isNew) => (isNew ? describeCreation({ id: row.id, key, name: body.name, clonedFrom }) : null),
    });
    if (isNew) return { id: row.id, key };
  }
  throw new AppError('conflict', 'many workflows of this name are being created at once; try again');
}

interface Creation {
  id: string;
  key: string;
  name: string;
  clonedFrom: string | undefined;
}

function describeCreation({ id, key, name, clonedFrom }: Creation): AuditEntry {
  return clonedFrom === undefined
    ? { action: 'workflow.created', id, name, detail: { key } }
    : { action: 'workflow.cloned', id, name, detail: { key, from: clonedFrom } };
}

/** A name as a key: letters and digits of ASCII, the rest as hyphens; `fallback` when nothing is left. */
export function slugOf(name: string, fallback = 'workflow'): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const slug = plain.replace(/[^a-z0-9]+/g, '-').slice(0, MAX_KEY);
  return slug.replace(/^-+|-+$/g, '') || fallback;
}

function firstFreeKey(base: string, taken: ReadonlySet<string>): string {
  if (!taken.has(base)) return base;
  let suffix = 2;
  while (taken.has(`${base}-${suffix}`)) suffix += 1;
  return `${base}-${suffix}`;
}
