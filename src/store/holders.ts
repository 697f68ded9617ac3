// Whether those who were let in a while ago would be let in now: their key is neither revoked nor expired, and they were not
// removed from the workspace. For what outlasts a request; what a credential is worth is asked elsewhere.

import type { Actor } from '../core/run.ts';
import { type Connection, READ_PATIENCE } from './db.ts';

/** Those of `holders` whose API key or signing key is good no more, or who are no members any more. */
export async function listLapsedHolders({ pool }: Connection, holders: readonly Actor[]): Promise<Actor[]> {
  const named = holders.filter(({ keyId }) => keyId !== undefined);
  if (named.length === 0) return [];
  const { rows } = await pool.query<{ nth: number }>({
    ...READ_PATIENCE,
    name: 'list-lapsed-holders',
    text: `SELECT h.nth - 1 AS nth
             FROM unnest($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY AS h (key_id, workspace_id, user_id, nth)
            WHERE NOT EXISTS (
                    SELECT FROM api_keys k WHERE k.id = h.key_id AND k.revoked_at IS NULL
                                             AND (k.expires_at IS NULL OR k.expires_at > now())
                    UNION ALL
                    SELECT FROM signing_keys s WHERE s.id = h.key_id AND s.revoked_at IS NULL)
               OR EXISTS (SELECT FROM members m WHERE m.workspace_id = h.workspace_id AND m.user_id = h.user_id
                                                  AND m.removed_at IS NOT NULL)`,
    values: [
      named.map(({ keyId }) => keyId),
      named.map(({ workspaceId }) => workspaceId),
      named.map(({ userId }) => userId),
    ],
  });
  return rows.map(({ nth }) => named[nth]!);
}
