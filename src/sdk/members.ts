// The members of the workspace, for admins: users with a role, which is the most that their keys and tokens may do.

import type { Member, Operations } from './api-types.ts';
import type { CallOptions, Page, Transport } from './transport.ts';

const MEMBERS = '/workspaces/{wId}/members';
const MEMBER = `${MEMBERS}/{userId}` as const;

export type MembersQuery = NonNullable<Operations[`GET ${typeof MEMBERS}`]['query']>;

export interface Members {
  list(query?: MembersQuery, options?: CallOptions): Promise<Page<Member>>;
  add(userId: string, role: Member['role'], options?: CallOptions): Promise<Member>;
  /** Gives them another role. */
  change(userId: string, role: Member['role'], options?: CallOptions): Promise<Member>;
  remove(userId: string, options?: CallOptions): Promise<void>;
}

export function createMembers(transport: Transport): Members {
  return {
    list: (query = {}, options = {}) => transport.page(`GET ${MEMBERS}`, { ...options, query }),
    add: (userId, role, options = {}) => transport.call(`POST ${MEMBERS}`, { ...options, body: { userId, role } }),
    change: (userId, role, options = {}) =>
      transport.call(`PATCH ${MEMBER}`, { ...options, path: { userId }, body: { role } }),
    remove: (userId, options = {}) => transport.call(`DELETE ${MEMBER}`, { ...options, path: { userId } }),
  };
}
