// The workspace's API keys, for admins.

import type { ApiKey, NewApiKey, Operations } from './api-types.ts';
import type { CallOptions, Page, Transport } from './transport.ts';

const KEYS = '/workspaces/{wId}/api-keys';

export type ApiKeysQuery = NonNullable<Operations[`GET ${typeof KEYS}`]['query']>;
export type ApiKeyRequest = Operations[`POST ${typeof KEYS}`]['body'];

export interface ApiKeys {
  /** Newest first; revoked ones too. */
  list(query?: ApiKeysQuery, options?: CallOptions): Promise<Page<ApiKey>>;
  /** Its `key` is shown this once. */
  create(request: ApiKeyRequest, options?: CallOptions): Promise<NewApiKey>;
  revoke(id: string, options?: CallOptions): Promise<void>;
}

export function createApiKeys(transport: Transport): ApiKeys {
  return {
    list: (query = {}, options = {}) => transport.page(`GET ${KEYS}`, { ...options, query }),
    create: (body, options = {}) => transport.call(`POST ${KEYS}`, { ...options, body }),
    revoke: (keyId, options = {}) => transport.call(`DELETE ${KEYS}/{keyId}`, { ...options, path: { keyId } }),
  };
}
