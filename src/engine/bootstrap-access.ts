// The first way in: at boot, the workspace and the owner key that the settings name are created where they are missing.
// What is there already is left alone, revoked keys too.

import { v7 as uuidv7 } from 'uuid';
import type { Logger } from '../log.ts';
import { ensureApiKey, ensureWorkspace, findApiKey, hasApiKeys, hashApiKey } from '../store/access.ts';
import { ensureMember } from '../store/access-members.ts';
import { recordChange } from '../store/audit.ts';
import type { Database } from '../store/db.ts';

export interface BootstrapSettings {
  bootstrapApiKey: string | null;
  bootstrapWorkspace: string | null;
}

const DEFAULT_WORKSPACE = 'default';
const OWNER = 'owner';
/** Who is told to have made what the settings name. */
const BOOTSTRAP = 'bootstrap';
const SHOWN_PREFIX = 8;

/** Safe to run at once in many processes. Without a key in the settings it only warns when nobody could get in. */
export async function bootstrapAccess(
  { db, log }: { db: Database; log: Logger },
  { bootstrapApiKey, bootstrapWorkspace }: BootstrapSettings,
): Promise<void> {
  if (bootstrapApiKey === null) {
    if (await hasApiKeys(db)) return;
    log.warn('no API key exists yet: set HOLDPOINT_BOOTSTRAP_API_KEY and start again, or nobody can get in');
    return;
  }
  // Also when its workspace has another slug by now: the key says which one is meant.
  if ((await findApiKey(db, hashApiKey(bootstrapApiKey))) !== null) return;
  const slug = bootstrapWorkspace ?? DEFAULT_WORKSPACE;
  const workspaceId = await createFirstWorkspace(db, slug);
  if (await createOwnerKey(db, { workspaceId, key: bootstrapApiKey }))
    log.info({ workspace: slug, workspaceId }, 'created the owner key of the settings');
}

/** Answers the id of the workspace that has the slug now. */
async function createFirstWorkspace(db: Database, slug: string): Promise<string> {
  const id = uuidv7();
  const workspace = await recordChange(
    db,
    { workspaceId: id, userId: BOOTSTRAP },
    {
      change: (connection) => ensureWorkspace(connection, { id, slug, name: slug }),
      tell: ({ created }) => (created ? { action: 'workspace.created', id, name: slug } : null),
    },
  );
  return workspace.id;
}

/** Says whether the key was not there before; its user is an owner from then on. */
function createOwnerKey(db: Database, { workspaceId, key }: { workspaceId: string; key: string }): Promise<boolean> {
  const [id, name, role] = [uuidv7(), 'bootstrap', 'owner'] as const;
  const row = { id, workspaceId, name, prefix: key.slice(0, SHOWN_PREFIX), hash: hashApiKey(key), role, userId: OWNER };
  return recordChange(
    db,
    { workspaceId, userId: BOOTSTRAP },
    {
      async change(connection) {
        const isNew = await ensureApiKey(connection, row);
        await ensureMember(connection, { workspaceId, userId: OWNER, role, by: BOOTSTRAP });
        return isNew;
      },
      tell: (isNew) => (isNew ? { action: 'api_key.created', id, name, detail: { role, userId: OWNER } } : null),
    },
  );
}
