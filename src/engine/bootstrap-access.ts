// The first way in: at boot, the workspace and the owner key that the settings name are created where they are missing.
// What is there already is left alone, revoked keys too.

import { v7 as uuidv7 } from 'uuid';
import type { Logger } from '../log.ts';
import { ensureApiKey, ensureWorkspace, findApiKey, hasApiKeys, hashApiKey } from '../store/access.ts';
import { ensureMember } from '../store/access-members.ts';
import type { Database } from '../store/db.ts';

export interface BootstrapSettings {
  bootstrapApiKey: string | null;
  bootstrapWorkspace: string | null;
}

const DEFAULT_WORKSPACE = 'default';
const OWNER = 'owner';
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
  const workspace = await ensureWorkspace(db, { id: uuidv7(), slug, name: slug });
  const created = await ensureApiKey(db, {
    id: uuidv7(),
    workspaceId: workspace.id,
    name: 'bootstrap',
    prefix: bootstrapApiKey.slice(0, SHOWN_PREFIX),
    hash: hashApiKey(bootstrapApiKey),
    role: 'owner',
    userId: OWNER,
  });
  await ensureMember(db, { workspaceId: workspace.id, userId: OWNER, role: 'owner', by: 'bootstrap' });
  if (created) log.info({ workspace: slug, workspaceId: workspace.id }, 'created the owner key of the settings');
}
