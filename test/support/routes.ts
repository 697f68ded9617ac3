// Every route of the server, read from its own table, and requests that fit them: a route that is added is tested
// without anybody's doing. Sends paths as they are, which fetch would tidy up.

import { type IncomingHttpHeaders, request } from 'node:http';
import type { Engine } from '../../src/engine/engine.ts';
import { createDocsRoutes } from '../../src/http/docs.ts';
import { createSystemRoutes } from '../../src/http/health.ts';
import type { Route } from '../../src/http/route.ts';
import { createMetrics } from '../../src/telemetry.ts';
import { createFaces } from '../../src/web.ts';

// Handlers are not called here, so they need no engine.
const faces = createFaces({} as Engine);
const stopping = new AbortController().signal;
const systemRoutes = createSystemRoutes({ probes: {}, vital: [], metrics: createMetrics(), stopping });

export const ROUTES: readonly Route[] = [
  ...faces.flatMap((face) => face.routes),
  ...systemRoutes,
  ...createDocsRoutes({ faces, systemRoutes }),
];
/** Without what is another route under a second prefix: same role, same schemas, same handler. */
export const DISTINCT = ROUTES.filter((route) => findOriginal(route) === undefined);
export const PROTECTED = DISTINCT.filter((route) => route.role !== 'public');

function findOriginal({ path, ...rest }: Route): Route | undefined {
  return ROUTES.find((other) => {
    const isSame = Object.entries(rest).every(([name, value]) => Reflect.get(other, name) === value);
    return path === `/v1${other.path}` && isSame;
  });
}

export function nameOf({ method, path }: Route): string {
  return `${method} ${path}`;
}

/** Names that callers choose: there is nobody else's to ask for. */
const CHOSEN = new Set(['PUT /workspaces/:wId/secrets/:name']);

/** Of a pod that is on the way to something else; it is the workspace's default one unless a test says otherwise. */
const WAY = /\/pods\/:podId\//;

/** Ids other than the workspace's and the pod's on the way: those are the caller's own unless a test says otherwise. */
export function hasId(route: Route): boolean {
  if (CHOSEN.has(nameOf(route))) return false;
  return /:(?!wId\b)\w+/.test(route.path.replace(WAY, '/')) || route.path.includes('/management/');
}

export function fillPath(route: Route, { workspace, id }: { workspace: string; id: string }): string {
  return route.path
    .replace(/:wId\b/, workspace)
    .replace(WAY, '/pods/default/')
    .replace(/:\w+/g, id);
}

/** A body that fits the route's schema, with the id of a run where it takes one; undefined where it takes none. */
export function bodyFor(route: Route, runId: string): object | undefined {
  if (route.body === undefined) return undefined;
  const path = route.path.replace(/^\/v1/, '');
  if (path.includes('/resume/')) return { type: 'collect_inputs', data: {} };
  if (path.includes('/management/')) return { runId };
  if (path.endsWith('/rollback')) return { snapshot_id: `${runId.slice(0, 80)}.1` };
  return BODIES[`${route.method} ${path}`] ?? {};
}

const BODIES: Readonly<Record<string, object>> = {
  'PUT /workspaces/:wId/secrets/:name': { value: 'a secret of some length' },
  'POST /workspaces': { name: 'Another' },
  'PATCH /workspaces/:wId': { name: 'Renamed' },
  'POST /api/v1/workflows': { template_id: 'no-such-thing' },
  'PATCH /api/v1/webhooks/:id': { status: 'disabled' },
  'POST /api/v1/webhooks': { url: 'https://example.com/hook', events: ['run_completed'] },
  'POST /workspaces/:wId/pods': { name: 'Payroll' },
  'PUT /workspaces/:wId/pods/:podId': { name: 'Wages' },
  'POST /workspaces/:wId/pods/:podId/executions': { workflowId: 'no-such-thing' },
  'POST /workspaces/:wId/pods/:podId/schedules': {
    workflowId: 'no-such-thing',
    name: 'Hourly',
    cronExpression: '0 * * * *',
  },
  'PATCH /workspaces/:wId/pods/:podId/schedules/:id': { name: 'Daily' },
  'POST /workspaces/:wId/pods/:podId/webhooks': { workflowId: 'no-such-thing', name: 'Billing' },
  'PATCH /workspaces/:wId/pods/:podId/webhooks/:id': { name: 'Payroll' },
  'POST /workspaces/:wId/members': { userId: 'somebody', role: 'viewer' },
  'PATCH /workspaces/:wId/members/:userId': { role: 'viewer' },
  'POST /workspaces/:wId/api-keys': { name: 'key', role: 'viewer' },
  'POST /workspaces/:wId/signing-keys': { name: 'key', role: 'viewer', algorithm: 'HS256' },
};

export interface RawAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** One request whose path and method reach the server as they are. */
export function sendRaw(
  address: string,
  { method, path, headers = {} }: { method: string; path: string; headers?: Record<string, string> },
): Promise<RawAnswer> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, method, path, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
