// The pods of the workspace: its divisions, each with workflows and executions of its own. Which one a client works in is its
// option `pod`.

import type { Operations, Pod } from './api-types.ts';
import type { CallOptions, Page, Transport } from './transport.ts';

const PODS = '/workspaces/{wId}/pods';
const POD = `${PODS}/{podId}` as const;

export type PodsQuery = NonNullable<Operations[`GET ${typeof PODS}`]['query']>;
export type PodRequest = Operations[`POST ${typeof PODS}`]['body'];

export interface Pods {
  list(query?: PodsQuery, options?: CallOptions): Promise<Page<Pod>>;
  /** By id or slug, here as below. */
  get(id: string, options?: CallOptions): Promise<Pod>;
  create(request: PodRequest, options?: CallOptions): Promise<Pod>;
  update(id: string, request: PodRequest, options?: CallOptions): Promise<Pod>;
  /** Only an empty one, and never `default`. */
  delete(id: string, options?: CallOptions): Promise<void>;
}

export function createPods(transport: Transport): Pods {
  return {
    list: (query = {}, options = {}) => transport.page(`GET ${PODS}`, { ...options, query }),
    get: (podId, options = {}) => transport.call(`GET ${POD}`, { ...options, path: { podId } }),
    create: (body, options = {}) => transport.call(`POST ${PODS}`, { ...options, body }),
    update: (podId, body, options = {}) => transport.call(`PUT ${POD}`, { ...options, path: { podId }, body }),
    delete: (podId, options = {}) => transport.call(`DELETE ${POD}`, { ...options, path: { podId } }),
  };
}
