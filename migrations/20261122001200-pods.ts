// Pods, the divisions of a workspace: every workflow and every run belongs to one, and an API key may be limited to one.
// Beside it, which run a replay is of.
//
// Why it looks the way it does:
// * Every workspace has a pod `default`, and it has the workspace's own id: whoever makes a workflow without naming a pod
//   needs no look-up, and nobody has to remember which one the default is.
// * A run has its workflow's pod from its start on, and keeps it: lists of a pod need one index. Workflows do not move.
// * A key keeps the id of a pod that is gone, without a foreign key: it must never become a key to everything.
// * `replay_of` is written at a start and never again; the partial index holds replays only.
// * Runs that are there already are rewritten once, which takes about a minute for ten million.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE pods (
      id            uuid PRIMARY KEY,
      workspace_id  uuid NOT NULL REFERENCES workspaces (id),
      slug          text NOT NULL CHECK (slug ~ '^[a-z0-9](|[a-z0-9-]{0,61}[a-z0-9])$'),
      name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
      created_by    text NOT NULL,
      created_at    timestamptz NOT NULL DEFAULT now(),
      UNIQUE (workspace_id, slug),
      UNIQUE (workspace_id, id),
      CHECK (id <> workspace_id OR slug = 'default')
    );
    INSERT INTO pods (id, workspace_id, slug, name, created_by, created_at)
    SELECT id, id, 'default', 'Default', 'system', created_at FROM workspaces;

    ALTER TABLE definitions ADD pod_id uuid;
    UPDATE definitions SET pod_id = workspace_id;
    ALTER TABLE definitions
      ALTER pod_id SET NOT NULL,
      ADD CONSTRAINT definitions_pod_fkey FOREIGN KEY (workspace_id, pod_id) REFERENCES pods (workspace_id, id);
    CREATE INDEX definitions_by_pod ON definitions (pod_id, updated_at DESC, id);

    ALTER TABLE runs ADD pod_id uuid, ADD replay_of uuid;
    UPDATE runs SET pod_id = workspace_id;
    ALTER TABLE runs ALTER pod_id SET NOT NULL;
    CREATE INDEX runs_by_pod ON runs (pod_id, id);
    CREATE INDEX runs_by_replayed ON runs (replay_of, id) WHERE replay_of IS NOT NULL;

    ALTER TABLE api_keys ADD pod_id uuid;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE api_keys DROP pod_id;
    DROP INDEX runs_by_pod, runs_by_replayed;
    ALTER TABLE runs DROP pod_id, DROP replay_of;
    ALTER TABLE definitions DROP pod_id;
    DROP TABLE pods;
  `);
}
