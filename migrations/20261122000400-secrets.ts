// Secrets of a workspace: what steps that reach out may name and nobody may read.
//
// `sealed` is what store/sealing.ts makes of a value: key id, nonce, tag and AES-256-GCM ciphertext, bound to workspace and
// name, so that a row moved to another place does not open.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE secrets (
      workspace_id  uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
      name          text NOT NULL CHECK (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,63}$'),
      sealed        bytea NOT NULL CHECK (octet_length(sealed) > 32),
      updated_by    text NOT NULL,
      created_at    timestamptz NOT NULL DEFAULT now(),
      updated_at    timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (workspace_id, name)
    );
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE secrets;');
}
