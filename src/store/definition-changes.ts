// Writing definitions and their versions: each change is one statement, and all but the first are committed only where the
// revision is still the one that was read. Whether a change is right was decided before (core/publishing.ts).

import type { Definition } from '../core/definition.ts';
import type { PublishingDecision, VersionStatus } from '../core/publishing.ts';
import type { Connection } from './db.ts';
import type { DefinitionRow } from './definitions.ts';

export interface NewDefinition {
  id: string;
  workspaceId: string;
  key: string;
  createdBy: string;
  body: Definition;
  /** Default: the workspace's default pod. */
  podId?: string;
  /** Made for one run, and in no list; default false. */
  isOneOff?: boolean;
}

/** Inserts a workflow with its version 1, a draft, in one statement; false when the key or the id is taken. */
export async function insertDefinition(db: Connection, row: NewDefinition): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `WITH inserted AS (
       INSERT INTO definitions (id, workspace_id, key, name, description, latest_version, created_by, one_off, pod_id)
       VALUES ($1, $2, $3, $4, $5, 1, $6, $8, coalesce($9::uuid, $2::uuid))
       ON CONFLICT DO NOTHING
       RETURNING id, workspace_id
     )
     INSERT INTO definition_versions (definition_id, version, workspace_id, body, status, created_by)
     SELECT id, 1, workspace_id, $7::json, 'draft', $6 FROM inserted`,
    [
      row.id,
      row.workspaceId,
      row.key,
      row.body.name,
      row.body.description ?? null,
      row.createdBy,
      toJson(row.body),
      row.isOneOff ?? false,
      row.podId ?? null,
    ],
  );
  return rowCount === 1;
}

export interface NewVersion {
  body: Definition;
  status: VersionStatus;
  createdBy: string;
  requestId: string | null;
}

/** Adds the next version in one statement; false when the workflow was changed since it was read. */
export async function insertVersion(
  db: Connection,
  { id, revision }: DefinitionRow,
  { body, status, createdBy, requestId }: NewVersion,
): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `WITH moved AS (
       UPDATE definitions
          SET revision = revision + 1, latest_version = latest_version + 1, name = $3, description = $4, updated_at = now()
        WHERE id = $1 AND revision = $2
        RETURNING id, workspace_id, latest_version
     )
     INSERT INTO definition_versions (definition_id, version, workspace_id, body, status, created_by, request_id)
     SELECT id, latest_version, workspace_id, $5::json, $6, $7, $8 FROM moved`,
    [id, revision, body.name, body.description ?? null, toJson(body), status, createdBy, requestId],
  );
  return rowCount === 1;
}

/** Commits a decision that adds no version, in one statement; false when the workflow was changed since it was read. */
export async function moveDefinition(
  db: Connection,
  { id, revision }: DefinitionRow,
  { next, mark }: PublishingDecision,
): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `WITH moved AS (
       UPDATE definitions
          SET revision = revision + 1, published_version = $3, archived_at = to_timestamp($4::float8 / 1000),
              updated_at = now()
        WHERE id = $1 AND revision = $2
        RETURNING id
     ), marked AS (
       UPDATE definition_versions v
          SET status = $5::text, published_at = CASE $5::text WHEN 'published' THEN coalesce(v.published_at, now()) ELSE v.published_at END
         FROM moved
        WHERE v.definition_id = moved.id AND v.status <> $5::text AND ($6::int IS NULL OR v.version = $6)
     )
     SELECT FROM moved`,
    [
      id,
      revision,
      next?.publishedVersion ?? null,
      next?.archivedAt ?? null,
      mark?.status ?? null,
      mark === null || mark.version === 'all' ? null : mark.version,
    ],
  );
  return rowCount === 1;
}

/**
 * Takes a workflow out of everybody's sight, for ever, and frees its key. Its row and versions stay: they are part of the
 * record of its runs, and what a start that is just under way has read.
 */
export async function deleteDefinition(
  db: Connection,
  { id, revision }: DefinitionRow,
): Promise<'deleted' | 'in_use' | 'changed'> {
  const { rows } = await db.pool.query<{ inUse: boolean; deleted: boolean }>(
    `WITH used AS (SELECT EXISTS (SELECT FROM runs WHERE definition_id = $1 AND finished_at IS NULL) AS "inUse"),
     deleted AS (
       UPDATE definitions SET revision = revision + 1, deleted_at = now(), updated_at = now()
        WHERE id = $1 AND revision = $2 AND NOT (SELECT "inUse" FROM used)
        RETURNING id
     )
     SELECT "inUse", EXISTS (SELECT FROM deleted) AS deleted FROM used`,
    [id, revision],
  );
  if (rows[0]?.deleted) return 'deleted';
  return rows[0]?.inUse ? 'in_use' : 'changed';
}

function toJson(value: Definition): string {
  return JSON.stringify(value);
}
