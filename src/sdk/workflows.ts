// The workflows of the pod: written as drafts, deployed, looked at.

import type { Operations, PodWorkflow, PodWorkflowSummary, PodWorkflowVersion } from './api-types.ts';
import type { CallOptions, Page, Transport } from './transport.ts';

const WORKFLOWS = '/workspaces/{wId}/pods/{podId}/workflows';
const WORKFLOW = `${WORKFLOWS}/{id}` as const;

export type WorkflowsQuery = NonNullable<Operations[`GET ${typeof WORKFLOWS}`]['query']>;
export type VersionsQuery = NonNullable<Operations[`GET ${typeof WORKFLOW}/versions`]['query']>;
/** `latest`, `published`, `1.0.3` or `3`. */
export type VersionSelector = string | number;

export interface Workflows {
  /** Newest update first. */
  list(query?: WorkflowsQuery, options?: CallOptions): Promise<Page<PodWorkflowSummary>>;
  /** With its definition, as it is in this version; default the latest. */
  get(id: string, options?: CallOptions & { version?: VersionSelector }): Promise<PodWorkflow>;
  /** A draft of version 1. Throws `ApiError` with every problem of the definition at once. */
  create(definition: object, options?: CallOptions): Promise<PodWorkflow>;
  /** A new version with these keys changed; with `ifVersion` only if that is still the latest. */
  update(id: string, changes: object, options?: CallOptions & { ifVersion?: number }): Promise<PodWorkflow>;
  /** Makes a version, default the latest, the published one. */
  deploy(id: string, options?: CallOptions & { version?: VersionSelector }): Promise<PodWorkflow>;
  /** Newest first. */
  versions(id: string, query?: VersionsQuery, options?: CallOptions): Promise<Page<PodWorkflowVersion>>;
}

export function createWorkflows(transport: Transport): Workflows {
  return {
    list: (query = {}, options = {}) => transport.page(`GET ${WORKFLOWS}`, { ...options, query }),
    get: (id, { version, ...options } = {}) =>
      transport.call(`GET ${WORKFLOW}`, {
        ...options,
        path: { id },
        query: version === undefined ? {} : { version: String(version) },
      }),
    create: (definition, options = {}) => transport.call(`POST ${WORKFLOWS}`, { ...options, body: { ...definition } }),
    update: (id, changes, { ifVersion, ...options } = {}) =>
      transport.call(`PUT ${WORKFLOW}`, {
        ...options,
        path: { id },
        body: { ...changes },
        headers: ifVersion === undefined ? {} : { 'if-match': `"${ifVersion}"` },
      }),
    deploy: (id, { version, ...options } = {}) =>
      transport.call(`POST ${WORKFLOW}/deploy`, { ...options, path: { id }, body: { version } }),
    versions: (id, query = {}, options = {}) =>
      transport.page(`GET ${WORKFLOW}/versions`, { ...options, path: { id }, query }),
  };
}
