// The secrets of the workspace, for admins: set and named, never read again. Steps have them as `${secrets.NAME}`.

import type { Secret } from './api-types.ts';
import type { CallOptions, Transport } from './transport.ts';

const SECRETS = '/workspaces/{wId}/secrets';
const SECRET = `${SECRETS}/{name}` as const;

export interface Secrets {
  /** Their names, and who set them when. */
  list(options?: CallOptions): Promise<Secret[]>;
  /** A new one, or another value for one that there is. */
  set(name: string, value: string, options?: CallOptions): Promise<Secret>;
  delete(name: string, options?: CallOptions): Promise<void>;
}

export function createSecrets(transport: Transport): Secrets {
  return {
    list: (options = {}) => transport.call(`GET ${SECRETS}`, options),
    set: (name, value, options = {}) =>
      transport.call(`PUT ${SECRET}`, { ...options, path: { name }, body: { value } }),
    delete: (name, options = {}) => transport.call(`DELETE ${SECRET}`, { ...options, path: { name } }),
  };
}
