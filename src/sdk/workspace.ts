// The client's own workspace: what it is called, and who changed what in it.

import type { AuditLine, Operations, Workspace } from './api-types.ts';
import type { CallOptions, Page, Transport } from './transport.ts';

const WORKSPACE = '/workspaces/{wId}';

export type WorkspaceChanges = Operations[`PATCH ${typeof WORKSPACE}`]['body'];
export type AuditQuery = NonNullable<Operations[`GET ${typeof WORKSPACE}/audit`]['query']>;

export interface OwnWorkspace {
  get(options?: CallOptions): Promise<Workspace>;
  /** For owners. A client that names it by its slug needs the new one from then on. */
  update(changes: WorkspaceChanges, options?: CallOptions): Promise<Workspace>;
  /** Who changed what outside executions, newest first; for admins. */
  audit(query?: AuditQuery, options?: CallOptions): Promise<Page<AuditLine>>;
}

export function createWorkspace(transport: Transport): OwnWorkspace {
  return {
    get: (options = {}) => transport.call(`GET ${WORKSPACE}`, options),
    update: (body, options = {}) => transport.call(`PATCH ${WORKSPACE}`, { ...options, body }),
    audit: (query = {}, options = {}) => transport.page(`GET ${WORKSPACE}/audit`, { ...options, query }),
  };
}
