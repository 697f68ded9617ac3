// Members, signing keys, and who made and revoked which key.
//
// Why it looks the way it does:
// * A member that was removed stays as a row: a token that names the user is refused until they are added again, instead
//   of falling back to whatever its signing key allows.
// * The secret of an HS256 key is needed to verify, so it cannot be a hash; it is stored sealed, and the table holds
//   either that or a public key.
// * Users who own keys today become members with the highest role among their live keys, so every workspace that
//   somebody can own has an owner.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE api_keys
      ADD created_by text NOT NULL DEFAULT 'bootstrap',
      ADD revoked_by text;
    CREATE INDEX api_keys_by_workspace ON api_keys (workspace_id, id DESC);

    CREATE TABLE members (
      workspace_id  uuid NOT NULL REFERENCES workspaces (id),
      user_id       text NOT NULL CHECK (length(user_id) BETWEEN 1 AND 200),
      role          text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
      added_by      text NOT NULL,
      added_at      timestamptz NOT NULL DEFAULT now(),
      removed_by    text,
      removed_at    timestamptz,
      PRIMARY KEY (workspace_id, user_id),
      CHECK ((removed_by IS NULL) = (removed_at IS NULL))
    );
    INSERT INTO members (workspace_id, user_id, role, added_by)
    SELECT DISTINCT ON (workspace_id, user_id) workspace_id, user_id, role, 'bootstrap'
      FROM api_keys
     WHERE revoked_at IS NULL AND length(user_id) BETWEEN 1 AND 200
     ORDER BY workspace_id, user_id, array_position(ARRAY['owner', 'admin', 'editor', 'viewer'], role);

    CREATE TABLE signing_keys (
      id             uuid PRIMARY KEY,
      workspace_id   uuid NOT NULL REFERENCES workspaces (id),
      name           text NOT NULL,
      algorithm      text NOT NULL CHECK (algorithm IN ('HS256', 'RS256', 'ES256', 'EdDSA')),
      role           text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
      public_key     text,
      sealed_secret  bytea,
      audience       text,
      issuer         text,
      created_by     text NOT NULL,
      created_at     timestamptz NOT NULL DEFAULT now(),
      revoked_by     text,
      revoked_at     timestamptz,
      CHECK ((sealed_secret IS NOT NULL) = (algorithm = 'HS256')),
      CHECK ((public_key IS NOT NULL) = (algorithm <> 'HS256'))
    );
    CREATE INDEX signing_keys_by_workspace ON signing_keys (workspace_id, id DESC);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TABLE signing_keys, members;
    DROP INDEX api_keys_by_workspace;
    ALTER TABLE api_keys DROP created_by, DROP revoked_by;
  `);
}
