// The inbound webhooks of the pod: addresses where others start executions by posting to them.

import type { InboundWebhook, NewInboundWebhook, Operations } from './api-types.ts';
import type { CallOptions, Page, Transport } from './transport.ts';

const WEBHOOKS = '/workspaces/{wId}/pods/{podId}/webhooks';
const WEBHOOK = `${WEBHOOKS}/{id}` as const;

export type WebhooksQuery = NonNullable<Operations[`GET ${typeof WEBHOOKS}`]['query']>;
export type WebhookRequest = Operations[`POST ${typeof WEBHOOKS}`]['body'];
export type WebhookChanges = Operations[`PATCH ${typeof WEBHOOK}`]['body'];
export type SecretRotation = Operations[`POST ${typeof WEBHOOK}/rotate`]['body'];

export interface Webhooks {
  list(query?: WebhooksQuery, options?: CallOptions): Promise<Page<InboundWebhook>>;
  get(id: string, options?: CallOptions): Promise<InboundWebhook>;
  /** Its `secret` is shown this once. */
  create(request: WebhookRequest, options?: CallOptions): Promise<NewInboundWebhook>;
  update(id: string, changes: WebhookChanges, options?: CallOptions): Promise<InboundWebhook>;
  delete(id: string, options?: CallOptions): Promise<void>;
  /** A new secret, shown this once; the one before counts on for a while. */
  rotate(id: string, rotation?: SecretRotation, options?: CallOptions): Promise<NewInboundWebhook>;
}

export function createWebhooks(transport: Transport): Webhooks {
  return {
    list: (query = {}, options = {}) => transport.page(`GET ${WEBHOOKS}`, { ...options, query }),
    get: (id, options = {}) => transport.call(`GET ${WEBHOOK}`, { ...options, path: { id } }),
    create: (body, options = {}) => transport.call(`POST ${WEBHOOKS}`, { ...options, body }),
    update: (id, body, options = {}) => transport.call(`PATCH ${WEBHOOK}`, { ...options, path: { id }, body }),
    delete: (id, options = {}) => transport.call(`DELETE ${WEBHOOK}`, { ...options, path: { id } }),
    rotate: (id, body = {}, options = {}) =>
      transport.call(`POST ${WEBHOOK}/rotate`, { ...options, path: { id }, body }),
  };
}
