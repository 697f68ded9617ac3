// Writes down, in the audit log of the workspace that a credential belongs to, that it was used for another one. The attempt
// is refused whether or not this succeeds.

import type { Actor } from '../core/run.ts';
import { insertAuditLine } from '../store/audit.ts';
import type { Engine } from './engine.ts';
import { withPatience } from './patience.ts';

/** Whatever else stands in the header may be a secret in the wrong place. */
const NAME = /^[A-Za-z0-9-]{1,63}$/;
const PATIENCE_MS = 2_000;

/** Never fails. `tenant` is what the request named. */
export async function noteForeignTenant(
  { db, log }: Pick<Engine, 'db' | 'log'>,
  { actor, tenant }: { actor: Actor; tenant: string },
): Promise<void> {
  const id = NAME.test(tenant) ? tenant : '(no name of a workspace)';
  const write = insertAuditLine(db, actor, { action: 'tenant.refused', id });
  await withPatience(write, PATIENCE_MS).catch((error: unknown) => {
    const { workspaceId, keyId } = actor;
    log.warn({ err: error, workspaceId, keyId }, 'a refused attempt could not be written down');
  });
}
