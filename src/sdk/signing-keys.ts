// The workspace's signing keys, for admins: what tokens of a product's own users are signed with.

import type { NewSigningKey, Operations, SigningKey } from './api-types.ts';
import type { CallOptions, Page, Transport } from './transport.ts';

const KEYS = '/workspaces/{wId}/signing-keys';

export type SigningKeysQuery = NonNullable<Operations[`GET ${typeof KEYS}`]['query']>;
export type SigningKeyRequest = Operations[`POST ${typeof KEYS}`]['body'];

export interface SigningKeys {
  list(query?: SigningKeysQuery, options?: CallOptions): Promise<Page<SigningKey>>;
  /** Its `id` is the `kid` of tokens; a `secret` is shown this once. */
  create(request: SigningKeyRequest, options?: CallOptions): Promise<NewSigningKey>;
  revoke(id: string, options?: CallOptions): Promise<void>;
}

export function createSigningKeys(transport: Transport): SigningKeys {
  return {
    list: (query = {}, options = {}) => transport.page(`GET ${KEYS}`, { ...options, query }),
    create: (body, options = {}) => transport.call(`POST ${KEYS}`, { ...options, body }),
    revoke: (keyId, options = {}) => transport.call(`DELETE ${KEYS}/{keyId}`, { ...options, path: { keyId } }),
  };
}
