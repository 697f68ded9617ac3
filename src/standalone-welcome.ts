// What a standalone prints once it is up: what runs where, the key, and commands to paste that take one workflow from
// its definition to its end. Only words; the same in, the same out.

import type { Config } from './config.ts';
import type { Credentials } from './standalone-credentials.ts';
import type { EmbeddedPostgres } from './store/embedded-postgres.ts';

interface Started {
  address: string;
  credentials: Credentials;
  postgres: Pick<EmbeddedPostgres, 'port' | 'folder' | 'adopted'> | null;
}

const DEFINITION = {
  name: 'Customer Onboarding',
  description: 'Onboarding workflow for new customers',
  initialStep: 'collect-inputs-1',
  steps: [
    {
      type: 'collect-inputs',
      id: 'collect-inputs-1',
      output: { customerName: { type: 'string' }, email: { type: 'string' } },
    },
    { type: 'end-flow', id: 'end-1' },
  ],
  edges: [{ from: 'collect-inputs-1', to: 'end-1' }],
  payload: {},
};
const ANSWER = { type: 'collect_inputs', data: { customerName: 'Ada Lovelace', email: 'ada@example.com' } };

/** The lines for the terminal; the commands hold no comments, which an interactive zsh would not take. */
export function formatWelcome(config: Config, started: Started): string {
  const { address, credentials } = started;
  return `
Holdpoint is up.

  Address     ${address}
  API key     ${credentials.apiKey}
  Workspace   ${credentials.workspace}
  Postgres    ${formatPostgres(config, started)}
  Queue       ${config.redisUrl === null ? 'in Postgres (set REDIS_URL for production)' : `in Redis, ${formatPlace(config.redisUrl)}`}
  Data        ${config.dataDir}

Try it in another terminal: create a workflow, start it, answer what it waits for, look at the result.

${formatCommands(address, credentials).join('\n\n')}

Ctrl-C stops it and keeps everything.
`;
}

/** Create, start (which keeps the run's id in RUN_ID), answer, and ask how it went. */
function formatCommands(address: string, credentials: Credentials): string[] {
  const headers = `-H 'x-api-key: ${credentials.apiKey}' -H 'x-tenant-id: ${credentials.workspace}'`;
  const post = (path: string, body: unknown) =>
    `curl -sS -X POST "${address}${path}" ${headers} -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
  const pickRunId = `sed -n 's/.*"runId": *"\\([^"]*\\)".*/\\1/p'`;
  return [
    `${post('/api/workflows', DEFINITION)}; echo`,
    `RUN_ID=$(${post('/api/workflow/start-async/customer-onboarding', { data: {} })} | ${pickRunId}); echo "RUN_ID=$RUN_ID"`,
    `${post('/api/workflow/resume/$RUN_ID', ANSWER)}; echo`,
    `curl -sS "${address}/api/workflow/status/$RUN_ID" ${headers}; echo`,
  ];
}

function formatPostgres({ databaseUrl }: Config, { postgres }: Started): string {
  if (postgres === null) return databaseUrl === null ? 'none' : `yours, ${formatPlace(databaseUrl)}`;
  return `embedded${postgres.adopted ? ', running since an earlier start' : ''}, 127.0.0.1:${postgres.port}, files in ${postgres.folder}`;
}

/** Host and database, without the password that a URL may carry. */
function formatPlace(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname === '/' ? '' : pathname}`;
}
