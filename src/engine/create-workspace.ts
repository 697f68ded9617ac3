// The verb that makes a workspace: its maker becomes its owner, with a first key that is shown this once. The two workspaces
// know nothing of one another: a credential belongs to one, so the new one is entered with the new key only.

import { randomBytes } from 'node:crypto';
import { v7 as newId } from 'uuid';
import { AppError } from '../core/errors.ts';
import type { Actor } from '../core/run.ts';
import { ensureApiKey } from '../store/access.ts';
import { ensureMember } from '../store/access-members.ts';
import { findWorkspace, insertWorkspace, type WorkspaceRow } from '../store/access-workspaces.ts';
import { recordChange } from '../store/audit.ts';
import type { Connection } from '../store/db.ts';
import { generateKey } from './api-keys.ts';
import { slugOf } from './create-definition.ts';
import type { Engine } from './engine.ts';

export interface WorkspaceRequest {
  actor: Actor;
  name: string;
  /** Default: made from the name, with something behind it where another workspace has that. */
  slug?: string;
  /** The id it gets; what was made with it before is answered, with another key. */
  id?: string | undefined;
}

export interface CreatedWorkspace {
  row: WorkspaceRow;
  keyId: string;
  key: string;
}

/** Slugs that were not asked for are tried so often, the first time without anything behind them. */
const MAX_TRIES = 5;
const SUFFIX_BYTES = 3;
const MAX_BASE = 56;

/** Throws `conflict` when another workspace has the slug that was asked for. */
export async function createWorkspace(
  { db }: Pick<Engine, 'db'>,
  { actor, name, slug, id = newId() }: WorkspaceRequest,
): Promise<CreatedWorkspace> {
  const { key, ...kept } = generateKey();
  const keyId = newId();
  const { userId } = actor;
  await recordChange(
    db,
    { ...actor, workspaceId: id },
    {
      async change(connection) {
        const isNew = await insertOrFind(connection, {
          id,
          name,
          slugs: slug === undefined ? suggestSlugs(name) : [slug],
        });
        await ensureMember(connection, { workspaceId: id, userId, role: 'owner', by: userId });
        const first = { id: keyId, workspaceId: id, name: 'first', role: 'owner', userId, createdBy: userId } as const;
        await ensureApiKey(connection, { ...first, ...kept });
        return isNew;
      },
      // Made again by the same request, it is there, and has another key.
      tell: (isNew) =>
        isNew
          ? { action: 'workspace.created', id, name }
          : { action: 'api_key.created', id: keyId, name: 'first', detail: { role: 'owner', userId } },
    },
  );
  const row = await findWorkspace(db, id);
  if (row === null) throw new AppError('internal', 'the workspace was stored and is not there');
  return { row, keyId, key };
}

/** Whether it was not there before: only the request that has this id can have made one with it. */
async function insertOrFind(
  connection: Connection,
  { id, name, slugs }: { id: string; name: string; slugs: readonly string[] },
): Promise<boolean> {
  for (const slug of slugs) if (await insertWorkspace(connection, { id, slug, name })) return true;
  if ((await findWorkspace(connection, id)) !== null) return false;
  throw new AppError('conflict', 'another workspace has this slug; choose a different one');
}

/** Says nothing of who has the plain one. */
function suggestSlugs(name: string): string[] {
  const base = slugOf(name, 'workspace');
  const others = Array.from({ length: MAX_TRIES - 1 }, () => randomBytes(SUFFIX_BYTES).toString('hex'));
  return [base, ...others.map((suffix) => `${base.slice(0, MAX_BASE)}-${suffix}`)];
}
