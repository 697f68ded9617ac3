// Rows of files: whose they are, what they are called and what their content must be. Which object holds the content is
// the engine's to derive; a file without its run is not found.

import type { Connection, Database } from './db.ts';

export interface FileRow {
  id: string;
  workspaceId: string;
  filename: string;
  contentType: string;
  size: number;
  sha256: Buffer;
}

export interface NewFile extends FileRow {
  /** The run that it comes with, which need not exist yet. */
  runId: string;
  createdBy: string;
}

/**
 * Notes a file that is about to be stored, unless the workspace's files would then be larger than `quotaBytes`; says
 * whether it did. Files that come at the same moment do not see one another, so a quota may be passed by what is under way.
 */
export async function insertFile(db: Database, file: NewFile, quotaBytes: number): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: 'insert-file',
    text: `INSERT INTO files (id, workspace_id, run_id, filename, content_type, size, sha256, created_by)
           SELECT $1, $2, $3, $4, $5, $6::int, $7, $8
            WHERE (SELECT coalesce(sum(size), 0) FROM files WHERE workspace_id = $2) + $6::int <= $9::bigint`,
    values: [
      file.id,
      file.workspaceId,
      file.runId,
      file.filename,
      file.contentType,
      file.size,
      file.sha256,
      file.createdBy,
      quotaBytes,
    ],
  });
  return rowCount === 1;
}

/** A file of the workspace whose run exists. `fileId` must be a UUID. */
export async function findFile(
  db: Connection,
  { workspaceId, fileId }: { workspaceId: string; fileId: string },
): Promise<FileRow | null> {
  const { rows } = await db.pool.query<FileRow>({
    name: 'find-file',
    text: `SELECT f.id, f.workspace_id AS "workspaceId", f.filename, f.content_type AS "contentType", f.size, f.sha256
             FROM files f JOIN runs r ON r.id = f.run_id AND r.workspace_id = f.workspace_id
            WHERE f.id = $1 AND f.workspace_id = $2`,
    values: [fileId, workspaceId],
  });
  return rows[0] ?? null;
}

/** Forgets a file; its content is to be gone by then. */
export async function deleteFile(db: Database, fileId: string): Promise<void> {
  await db.pool.query({ name: 'delete-file', text: 'DELETE FROM files WHERE id = $1', values: [fileId] });
}

/** Notes which files older than `minAgeMs` have their run, so that no sweep looks at them again; answers how many. */
export async function keepFilesOfRuns(db: Database, minAgeMs: number): Promise<number> {
  const { rowCount } = await db.pool.query({
    name: 'keep-files-of-runs',
    text: `UPDATE files f SET kept_at = now()
            WHERE f.kept_at IS NULL AND f.created_at < now() - $1 * interval '1 millisecond'
              AND EXISTS (SELECT FROM runs r WHERE r.id = f.run_id)`,
    values: [minAgeMs],
  });
  return rowCount ?? 0;
}

/** The oldest files that have stood without a run for `minAgeMs`. */
export async function listOrphanFiles(
  db: Database,
  { minAgeMs, limit }: { minAgeMs: number; limit: number },
): Promise<Pick<FileRow, 'id' | 'workspaceId'>[]> {
  const { rows } = await db.pool.query<Pick<FileRow, 'id' | 'workspaceId'>>({
    name: 'list-orphan-files',
    text: `SELECT f.id, f.workspace_id AS "workspaceId" FROM files f
            WHERE f.kept_at IS NULL AND f.created_at < now() - $1 * interval '1 millisecond'
              AND NOT EXISTS (SELECT FROM runs r WHERE r.id = f.run_id)
            ORDER BY f.created_at LIMIT $2`,
    values: [minAgeMs, limit],
  });
  return rows;
}
