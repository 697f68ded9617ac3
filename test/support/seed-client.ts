// A client that speaks as the curl samples of the seeds do: `x-api-key` with `x-tenant-id`, JSON, the workflow face's
// paths. Bodies come back as they are; `mask` takes the ids and times out of them, so that whole ones can be asserted.

import type { Role } from '../../src/core/roles.ts';
import type { Database } from '../../src/store/db.ts';
import { type Answer, call, createWorkspace, type TestWorkspace } from './api.ts';
import { eventually } from './eventually.ts';

export interface SeedClient {
  workspace: TestWorkspace;
  get(path: string, role?: Role): Promise<Answer>;
  post(path: string, body: unknown, role?: Role): Promise<Answer>;
  put(path: string, body: unknown, role?: Role): Promise<Answer>;
  remove(path: string, role?: Role): Promise<Answer>;
  /** Creates a workflow and answers its id. */
  define(definition: object): Promise<string>;
  /** Starts a run without waiting for it, and answers its id. */
  start(workflowId: string, data?: object): Promise<string>;
  status(runId: string): Promise<Answer['body']>;
  resume(runId: string, body: object): Promise<Answer>;
  /** The run's status body once its status, or what else is asked of it, is this. */
  until(runId: string, wanted: string | ((status: Answer['body']) => boolean)): Promise<Answer['body']>;
}

/** A client with a workspace of its own; `address` is asked anew for each call, since a restarted server may move. */
export async function createSeedClient(db: Database, address: () => string): Promise<SeedClient> {
  const workspace = await createWorkspace(db);
  const headers = (role: Role) => ({ 'x-api-key': workspace.keys[role], 'x-tenant-id': workspace.slug });
  const get = (path: string, role: Role = 'editor') => call(`${address()}${path}`, { headers: headers(role) });
  const send =
    (method: string) =>
    (path: string, body: unknown, role: Role = 'editor') =>
      call(`${address()}${path}`, { method, headers: headers(role), body });
  const post = send('POST');
  const status = async (runId: string) => expectOk(await get(`/api/workflow/status/${runId}`));
  return {
    workspace,
    get,
    post,
    put: send('PUT'),
    remove: (path, role) => send('DELETE')(path, undefined, role),
    status,
    define: async (definition) => expectOk(await post('/api/workflows', definition)).id,
    start: async (workflowId, data = {}) =>
      expectOk(await post(`/api/workflow/start-async/${workflowId}`, { data })).runId,
    resume: (runId, body) => post(`/api/workflow/resume/${runId}`, body),
    async until(runId, wanted) {
      const isWanted = typeof wanted === 'string' ? (body: Answer['body']) => body.status === wanted : wanted;
      let last: unknown;
      return eventually(
        async () => {
          const body = await status(runId);
          last = body;
          return isWanted(body) && body;
        },
        { what: () => `${typeof wanted === 'string' ? wanted : 'what was wanted'} in ${JSON.stringify(last)}` },
      );
    },
  };
}

function expectOk({ status, body }: Answer): Answer['body'] {
  if (status >= 300) throw new Error(`answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/;

/** An event's: that of its run, and its number. */
const EVENT_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(\.\d+)$/;

/** What no seed can know: ids that are made up become `<id>`, times `<time>`, durations `<ms>`. */
// biome-ignore lint/suspicious/noExplicitAny: a body is whatever the server said, and tests assert all of it
export function mask(value: any): any {
  if (Array.isArray(value)) return value.map(mask);
  if (typeof value === 'string' && UUID.test(value)) return '<id>';
  if (typeof value === 'string') return TIME.test(value) ? '<time>' : value.replace(EVENT_ID, '<id>$1');
  if (typeof value !== 'object' || value === null) return value;
  const isDuration = (key: string, part: unknown) => key === 'duration' && Number.isInteger(part) && Number(part) >= 0;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, isDuration(key, part) ? '<ms>' : mask(part)]),
  );
}
