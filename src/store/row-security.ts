// The second wall between workspaces (GUARANTEES S-16): row-level security for the role that the API reads with. A policy on
// every table lets that role see the rows of the workspace that its transaction names, and none when it names none; whoever
// else may use a table sees all of it, as before. Which reads go through it is store/readers.ts.
//
// It is put up after the migrations, by looking at the tables, so that none can be forgotten: those with a `workspace_id`,
// those whose rows belong to a run, and workspaces themselves. A table that fits none of these cannot be read with that role.
//
// Everybody else is let through by the same policy and not by being the owner, so that it makes no difference whether the
// processes connect as the one who migrates, and FORCE leaves nobody out who might be meant.

import type { Knex } from 'knex';

export const READER_ROLE = 'holdpoint_reader';
/** Names the workspace of a transaction; `''` and unset are none. */
export const TENANT_SETTING = 'app.tenant_id';

const POLICY = 'holdpoint_wall';
/** The API reads none of these: behind the wall, and out of reach. */
const UNREAD = ['idempotency_keys', 'inbound_webhook_secrets', 'purged_runs', 'stream_tickets'];

const TENANT = `nullif(current_setting('${TENANT_SETTING}', true), '')::uuid`;
const OWN_WORKSPACE = `workspace_id = ${TENANT}`;
/** Runs are behind the wall themselves. */
const OWN_RUN = `EXISTS (SELECT FROM runs r WHERE r.id = run_id)`;

interface Table {
  name: string;
  rule: string;
  isWalled: boolean;
  isReadable: boolean;
}

/**
 * Puts up what is missing of the wall. A user who may not make the role leaves that to an administrator: then the policies
 * are there, and the API reads past them, and says so (store/readers.ts).
 */
export async function raiseWall(knex: Knex): Promise<void> {
  await knex.raw(MAKE_ROLE);
  const { rows: roles } = await knex.raw<{ rows: object[] }>('SELECT FROM pg_roles WHERE rolname = :role', {
    role: READER_ROLE,
  });
  const hasRole = roles.length === 1;
  if (hasRole) await knex.raw(`${LET_US_BE_READER}; ${LET_READER_IN}`);
  for (const table of await listTables(knex, hasRole)) {
    // Only where something is missing: each of these waits until nobody uses the table.
    if (!table.isWalled) await knex.raw(wallOff(table));
    if (hasRole && !table.isReadable && !UNREAD.includes(table.name))
      await knex.raw(`GRANT SELECT ON ${table.name} TO ${READER_ROLE}`);
  }
}

/** Two databases of one server may be migrated at the same moment; the role is there for both. */
const MAKE_ROLE = `
  DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${READER_ROLE}') THEN
      CREATE ROLE ${READER_ROLE} NOLOGIN NOINHERIT;
    END IF;
  EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
    NULL;
  END $$`;

/** Superusers become anybody as it is; whoever made the role may make themselves a member. */
const LET_US_BE_READER = `
  DO $$ BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
      GRANT ${READER_ROLE} TO CURRENT_USER;
    END IF;
  EXCEPTION WHEN insufficient_privilege OR unique_violation THEN
    NULL;
  END $$`;

const LET_READER_IN = `
  DO $$ BEGIN
    IF NOT has_schema_privilege('${READER_ROLE}', current_schema(), 'USAGE') THEN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO ${READER_ROLE}', current_schema());
    END IF;
  EXCEPTION WHEN insufficient_privilege THEN
    NULL;
  END $$`;

async function listTables(knex: Knex, hasRole: boolean): Promise<Table[]> {
  const { rows } = await knex.raw<{ rows: Table[] }>(`
    SELECT * FROM (
      SELECT c.relname AS name,
             CASE WHEN c.relname = 'workspaces' THEN 'id = ${TENANT.replaceAll("'", "''")}'
                  WHEN has.workspace THEN '${OWN_WORKSPACE.replaceAll("'", "''")}'
                  WHEN has.run THEN '${OWN_RUN}' END AS rule,
             c.relrowsecurity AND c.relforcerowsecurity
               AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = '${POLICY}') AS "isWalled",
             ${hasRole ? `has_table_privilege('${READER_ROLE}', c.oid, 'SELECT')` : 'false'} AS "isReadable"
        FROM pg_class c CROSS JOIN LATERAL (
          SELECT bool_or(a.attname = 'workspace_id') AS workspace, bool_or(a.attname = 'run_id') AS run
            FROM pg_attribute a WHERE a.attrelid = c.oid AND a.atttypid = 'uuid'::regtype AND NOT a.attisdropped) has
       WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
    ) tables WHERE rule IS NOT NULL ORDER BY name`);
  return rows;
}

function wallOff({ name, rule }: Table): string {
  return `
    DROP POLICY IF EXISTS ${POLICY} ON ${name};
    CREATE POLICY ${POLICY} ON ${name} USING (current_user <> '${READER_ROLE}' OR ${rule}) WITH CHECK (true);
    ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;`;
}
