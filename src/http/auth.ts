// Who is asking: turns the credential of a request into a caller, or refuses it. How keys and tokens are checked is
// api-key-auth.ts and token-auth.ts; what they share, tenants and members, is here.

import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../core/errors.ts';
import { isAtLeast, lowerRole, type Role } from '../core/roles.ts';
import type { Actor } from '../core/run.ts';
import type { Logger } from '../log.ts';
import type { Database } from '../store/db.ts';
import { createApiKeyCheck } from './api-key-auth.ts';
import { readCredential, refuse } from './credentials.ts';
import { createTokenCheck, type OpenSecret } from './token-auth.ts';

export interface AuthenticatorOptions {
  db: Database;
  log: Logger;
  clock: { now(): number };
  /** Opens the sealed secrets of HS256 keys; without it, tokens of such keys are refused. */
  openSecret?: OpenSecret;
}

/** The actor of a request, and the other name of its workspace. */
export interface Caller extends Actor {
  workspaceSlug: string;
  keyId: string;
  role: Role;
  /** The one pod that its key is limited to. */
  podId?: string;
}

/** What a check found out about a credential; what the user is as a member is not yet counted in. */
export interface Bearer extends Caller {
  memberRole: Role | null;
  isMemberRemoved: boolean;
}

/** A good credential, used for a workspace that is not its own. */
export class ForeignTenantError extends AppError {
  /** Whose credential it is. */
  readonly caller: Caller;
  /** What the request named. */
  readonly tenant: string;

  constructor(caller: Caller, tenant: string) {
    super('forbidden', 'x-tenant-id names a workspace that this credential does not belong to');
    this.caller = caller;
    this.tenant = tenant;
  }
}

export type Authenticate = (headers: IncomingHttpHeaders, options?: { allowBasic?: boolean }) => Promise<Caller>;

/**
 * Makes the function that every protected route asks first.
 * Throws `unauthenticated`, `forbidden` (another workspace's tenant id), `invalid_request` (credentials that disagree).
 */
export function createAuthenticator({ db, log, clock, openSecret }: AuthenticatorOptions): Authenticate {
  const checkApiKey = createApiKeyCheck({ db, log, clock });
  const checkToken = createTokenCheck({ db, clock, ...(openSecret === undefined ? {} : { openSecret }) });

  return async (headers, { allowBasic = false } = {}) => {
    const { type, text, tenant } = readCredential(headers, allowBasic);
    const bearer = await (type === 'api-key' ? checkApiKey(text) : checkToken(text));
    const { memberRole, isMemberRemoved, ...caller } = bearer;
    if (tenant !== '' && !isWorkspaceOf(caller, tenant)) {
      const { keyId, workspaceId } = caller;
      log.warn({ event: 'tenant_mismatch', keyId, workspaceId }, 'credential used for another workspace');
      throw new ForeignTenantError(caller, tenant);
    }
    if (isMemberRemoved) throw refuse('the user of this credential was removed from the workspace; ask an admin');
    return { ...caller, role: memberRole === null ? caller.role : lowerRole(caller.role, memberRole) };
  };
}

/** Whether a name, an id or a slug, is that of the caller's workspace. */
export function isWorkspaceOf(caller: Pick<Caller, 'workspaceId' | 'workspaceSlug'>, name: string): boolean {
  return name === caller.workspaceSlug || name.toLowerCase() === caller.workspaceId;
}

/** For what is in no pod: a credential that is limited to one is not good for it. Throws `forbidden`. */
export function refuseLimited({ podId, workspaceId }: Pick<Caller, 'podId' | 'workspaceId'>): void {
  if (podId === undefined) return;
  const path = `/workspaces/${workspaceId}/pods/${podId}`;
  throw new AppError(
    'forbidden',
    `this API key is limited to one pod: use it below ${path}, or a key without podId here`,
  );
}

/** Throws `forbidden` unless the actor's role is at least `role`. */
export function requireRole(actor: Actor, role: Role): void {
  if (isAtLeast(actor.role, role)) return;
  throw new AppError('forbidden', `this needs the role ${role} or higher; the credential has ${actor.role ?? 'none'}`);
}
