// Reading definitions and their versions: rows in, plain objects out. Versions are immutable, so a found body may be cached
// for ever. Knows which numbers a selector may name; refuses to know what a definition means.

import type { Definition } from '../core/definition.ts';
import type { Publishing, VersionStatus, WorkflowStatus } from '../core/publishing.ts';
import type { Connection } from './db.ts';

/** A workflow without its graph. Times are epoch milliseconds. */
export interface DefinitionRow extends Publishing {
  id: string;
  workspaceId: string;
  podId: string;
  key: string;
  name: string;
  description: string | null;
  /** Grows with every change; a change is committed only where it is still the one that was read. */
  revision: number;
  createdBy: string;
  createdAt: number;
  updatedAt: number;
}

export interface VersionRow {
  definitionId: string;
  version: number;
  status: VersionStatus;
  body: Definition;
  createdBy: string;
  createdAt: number;
  publishedAt: number | null;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const KEY = /^[a-z0-9-]{1,80}$/;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

const COLUMNS = `
  d.id, d.workspace_id AS "workspaceId", d.pod_id AS "podId", d.key, d.name, d.description, d.latest_version AS "latestVersion",
  v.status AS "latestStatus", d.published_version AS "publishedVersion", d.revision,
  ${epochMs('d.archived_at')} AS "archivedAt", d.created_by AS "createdBy",
  ${epochMs('d.created_at')} AS "createdAt", ${epochMs('d.updated_at')} AS "updatedAt"`;
const FROM = `
  FROM definitions d
  JOIN definition_versions v ON v.definition_id = d.id AND v.version = d.latest_version`;

function epochMs(column: string): string {
  return `floor(extract(epoch FROM ${column}) * 1000)::bigint`;
}

/** Finds a workflow of the workspace that is not deleted; an id wins over another workflow's key that looks like one. */
export async function findDefinition(
  db: Connection,
  { workspaceId, idOrKey }: { workspaceId: string; idOrKey: string },
): Promise<DefinitionRow | null> {
  const id = isUuid(idOrKey) ? idOrKey.toLowerCase() : null;
  if (id === null && !KEY.test(idOrKey)) return null;
  const { rows } = await db.pool.query<DefinitionRow>({
    name: id === null ? 'definition-by-key' : 'definition-by-id-or-key',
    text:
      id === null
        ? `SELECT ${COLUMNS} ${FROM} WHERE d.deleted_at IS NULL AND d.workspace_id = $1 AND d.key = $2`
        : `SELECT ${COLUMNS} ${FROM} WHERE d.deleted_at IS NULL AND d.workspace_id = $1 AND (d.key = $2 OR d.id = $3)
            ORDER BY d.id = $3 DESC LIMIT 1`,
    values: id === null ? [workspaceId, idOrKey] : [workspaceId, id, id],
  });
  return rows[0] ?? null;
}

export async function findVersion(
  db: Connection,
  { definitionId, version }: { definitionId: string; version: number },
): Promise<VersionRow | null> {
  const { rows } = await db.pool.query<VersionRow>({
    name: 'definition-version',
    text: `SELECT definition_id AS "definitionId", version, status, body, created_by AS "createdBy",
                  ${epochMs('created_at')} AS "createdAt", ${epochMs('published_at')} AS "publishedAt"
             FROM definition_versions WHERE definition_id = $1 AND version = $2`,
    values: [definitionId, version],
  });
  return rows[0] ?? null;
}

/** The number of the version that a request with this id has made. */
export async function findVersionByRequest(
  db: Connection,
  { definitionId, requestId }: { definitionId: string; requestId: string },
): Promise<number | null> {
  const { rows } = await db.pool.query<{ version: number }>(
    'SELECT version FROM definition_versions WHERE definition_id = $1 AND request_id = $2',
    [definitionId, requestId],
  );
  return rows[0]?.version ?? null;
}

/** One page of a workflow's versions without their bodies, newest first, and how many there are in all. */
export async function listVersions(
  db: Connection,
  { definitionId, limit, offset }: { definitionId: string; limit: number; offset: number },
): Promise<{ rows: Omit<VersionRow, 'body'>[]; total: number }> {
  const { rows } = await db.pool.query<Omit<VersionRow, 'body'>>(
    `SELECT definition_id AS "definitionId", version, status, created_by AS "createdBy",
            ${epochMs('created_at')} AS "createdAt", ${epochMs('published_at')} AS "publishedAt"
       FROM definition_versions WHERE definition_id = $1 ORDER BY version DESC LIMIT $2 OFFSET $3`,
    [definitionId, limit, offset],
  );
  const count = await db.pool.query<{ total: number }>(
    'SELECT count(*) AS total FROM definition_versions WHERE definition_id = $1',
    [definitionId],
  );
  return { rows, total: count.rows[0]?.total ?? 0 };
}

const NUMBER = '(0|[1-9][0-9]{0,8})';
/**
 * What a version selector may look like: `latest`, `published`, `1.0.3` or `3`. Whatever else looks like a version, `2.1.0`,
 * is one that no workflow has.
 */
export const VERSION_SELECTOR = `^(latest|published|${NUMBER}(\\.${NUMBER}\\.${NUMBER})?)$`;

/** The version number that a selector names (`1.0.N` is number N + 1), or null when the workflow has no such version. */
export function resolveVersion(
  definition: Pick<DefinitionRow, 'latestVersion' | 'publishedVersion'>,
  selector = 'latest',
): number | null {
  if (selector === 'latest') return definition.latestVersion;
  if (selector === 'published') return definition.publishedVersion;
  if (!new RegExp(VERSION_SELECTOR).test(selector)) return null;
  const number = selector.startsWith('1.0.') ? Number(selector.slice(4)) + 1 : Number(selector);
  return number >= 1 && number <= definition.latestVersion ? number : null; // 2.1.0 is NaN
}

export interface DefinitionFilter {
  workspaceId: string;
  /** Only those of this pod. */
  podId?: string;
  /** Part of a name or description; `%` and `_` mean themselves. */
  search?: string;
  status?: WorkflowStatus;
  includeArchived?: boolean;
  limit: number;
  offset: number;
}

/** One page of the workspace's workflows, newest update first, and how many there are in all. */
export async function listDefinitions(
  db: Connection,
  filter: DefinitionFilter,
): Promise<{ rows: DefinitionRow[]; total: number }> {
  const { where, values } = buildFilter(filter);
  const limit = `LIMIT $${values.length + 1} OFFSET $${values.length + 2}`;
  const [page, count] = await Promise.all([
    db.pool.query<DefinitionRow>(
      `SELECT ${COLUMNS} ${FROM} WHERE ${where} ORDER BY d.updated_at DESC, d.id DESC ${limit}`,
      [...values, filter.limit, filter.offset],
    ),
    db.pool.query<{ total: number }>(`SELECT count(*) AS total ${FROM} WHERE ${where}`, values),
  ]);
  return { rows: page.rows, total: count.rows[0]?.total ?? 0 };
}

function buildFilter({ workspaceId, podId, search, status, includeArchived }: DefinitionFilter) {
  const values: unknown[] = [workspaceId];
  const conditions = ['d.deleted_at IS NULL', 'd.workspace_id = $1', 'NOT d.one_off'];
  if (status === 'archived') conditions.push('d.archived_at IS NOT NULL');
  else if (status !== undefined || !includeArchived) conditions.push('d.archived_at IS NULL');
  if (status === 'published') conditions.push('d.published_version IS NOT NULL');
  if (status === 'draft' || status === 'testing') {
    values.push(status);
    conditions.push(`d.published_version IS NULL AND v.status = $${values.length}`);
  }
  if (podId !== undefined) {
    values.push(podId);
    conditions.push(`d.pod_id = $${values.length}`);
  }
  if (search !== undefined && search !== '') {
    values.push(`%${search.replace(/[\\%_]/g, '\\$&')}%`);
    conditions.push(`(d.name ILIKE $${values.length} OR d.description ILIKE $${values.length})`);
  }
  return { where: conditions.join(' AND '), values };
}

/** Those of the workspace's keys that are `base` or `base-<number>`. */
export async function listTakenKeys(
  db: Connection,
  { workspaceId, base }: { workspaceId: string; base: string },
): Promise<Set<string>> {
  const { rows } = await db.pool.query<{ key: string }>(
    `SELECT key FROM definitions WHERE deleted_at IS NULL AND workspace_id = $1 AND (key = $2 OR key ~ ('^' || $2 || '-[0-9]{1,9}$'))`,
    [workspaceId, base],
  );
  return new Set(rows.map((row) => row.key));
}
