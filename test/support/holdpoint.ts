// A whole Holdpoint of a test's own: database, queue prefix, web process and, if asked for, a worker, all in this
// process. Nothing is mocked; `call` speaks HTTP to it.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Config, loadConfig } from '../../src/config.ts';
import { createLog, type Logger } from '../../src/log.ts';
import type { Database } from '../../src/store/db.ts';
import { startWeb } from '../../src/web.ts';
import { startWorker } from '../../src/worker.ts';
import { type Answer, type Call, call, createWorkspace, openTestDatabase, type TestWorkspace } from './api.ts';
import { getReaper } from './reaper.ts';
import { getServices } from './services.ts';

export interface Holdpoint {
  address: string;
  db: Database;
  workspace: TestWorkspace;
  /** Calls a path, as the workspace's editor unless another key is given. */
  ask(path: string, options?: Call): Promise<Answer>;
  /** Creates a workflow and answers its key. */
  define(definition: object): Promise<string>;
  /** Starts a run and answers its id, without waiting for it. */
  start(workflow: string, data?: object): Promise<string>;
  stop(): Promise<void>;
}

export async function startHoldpoint({
  withWorker = false,
  settings = {},
  log = createLog({ level: 'silent', name: 'test' }),
}: {
  withWorker?: boolean;
  log?: Logger;
  settings?: Partial<Omit<Config, 'databaseUrl'>>;
} = {}): Promise<Holdpoint> {
  const { db, drop } = await openTestDatabase();
  const workspace = await createWorkspace(db);
  const config = {
    ...loadConfig({}),
    port: 0,
    host: '127.0.0.1',
    databaseUrl: db.url,
    redisUrl: getServices().redisUrl,
    dataDir: join(getReaper().folder, `data-${randomBytes(6).toString('hex')}`),
    queuePrefix: `t-${randomBytes(6).toString('hex')}`,
    databasePool: 4,
    drainMs: 2_000,
    ...settings,
  };
  const web = await startWeb(config, { log });
  const worker = withWorker ? await startWorker(config, log) : null;
  const ask = (path: string, options: Call = {}) =>
    call(`${web.address}${path}`, { key: workspace.keys.editor, ...options });
  return {
    address: web.address,
    db,
    workspace,
    ask,
    async define(definition) {
      const { status, body } = await ask('/api/workflows', { body: definition });
      if (status !== 201) throw new Error(`the workflow was not created: ${JSON.stringify(body)}`);
      return body.id;
    },
    async start(workflow, data = {}) {
      const { status, body } = await ask(`/api/workflow/start-async/${workflow}`, { body: { data } });
      if (status !== 200) throw new Error(`the run was not started: ${JSON.stringify(body)}`);
      return body.runId;
    },
    async stop() {
      await web.stop();
      await worker?.stop();
      await drop();
    },
  };
}
