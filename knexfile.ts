// Settings of knex's command line (`npx knex migrate:make …`), for those who write migrations. `npm run release` runs
// them; both name migrations the same way.

import { loadConfig } from './src/config.ts';
import { migrationSource } from './src/store/migrate.ts';

const { databaseUrl } = loadConfig();

// The one default export here: knex's command line reads nothing else.
export default {
  client: 'pg',
  connection: databaseUrl ?? 'postgres://127.0.0.1:5432/holdpoint',
  migrations: { migrationSource },
};
