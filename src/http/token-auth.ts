// Whether a token (JWT) is good: signed by a living signing key, in that key's own algorithm, for us, for now. The key is
// found by its id only; whatever else a token says about keys, such as `jwk` or `jku`, is not looked at.

import { createPublicKey, type KeyObject } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { findJsonProblems, isJsonObject, type JsonObject } from '../core/json.ts';
import { isRole, lowerRole, ROLES, type Role } from '../core/roles.ts';
import { findMember, type MemberRow } from '../store/access-members.ts';
import { type Algorithm, findSigningKey, type SigningKeyRow } from '../store/access-signing-keys.ts';
import type { Database } from '../store/db.ts';
import { isUuid } from '../store/definitions.ts';
import { rememberRows } from './api-key-auth.ts';
import type { Bearer } from './auth.ts';
import { refuse } from './credentials.ts';

/** Opens the sealed secret of an HS256 key. */
export type OpenSecret = (key: { id: string; sealedSecret: Buffer }) => string;

interface Options {
  db: Database;
  clock: { now(): number };
  openSecret?: OpenSecret;
}

interface VerificationKey extends SigningKeyRow {
  key: KeyObject | Uint8Array;
}

/** A key record names one algorithm; EdDSA goes by two names (RFC 9864). */
const NAMES: Readonly<Record<Algorithm, string[]>> = {
  HS256: ['HS256'],
  RS256: ['RS256'],
  ES256: ['ES256'],
  EdDSA: ['EdDSA', 'Ed25519'],
};
/** No token is good for longer, whatever its `exp` says: one that leaks must end by itself. */
const MAX_AGE_MS = 24 * 3_600_000;
/** How far the clock of whoever signs may be ahead. */
const CLOCK_SKEW_MS = 10_000;
const MAX_USER_ID = 200;

/** Makes the check; it throws `unauthenticated`. */
export function createTokenCheck({ db, clock, openSecret }: Options): (token: string) => Promise<Bearer> {
  const keys = rememberRows<VerificationKey>(async (id) => {
    const row = await findSigningKey(db, id);
    return row && { ...row, key: importKey(row, openSecret) };
  });
  const members = rememberRows<{ row: MemberRow | null }>(async (id) => {
    const [workspaceId = '', userId = ''] = id.split(/ (.*)/s);
    return { row: await findMember(db, { workspaceId, userId }) };
  });

  return async (token) => {
    const key = await keys.fetch(findKeyId(token));
    if (key === undefined) throw refuse('the signing key of this token is not known; check its kid');
    if (key.revokedAt !== null) throw refuse('the signing key of this token was revoked; sign with another one');
    const claims = await verify(token, key, clock.now());
    const { workspaceId, workspaceSlug } = key;
    const userId = readUserId(claims);
    const member = await members.fetch(`${workspaceId} ${userId}`);
    return {
      workspaceId,
      workspaceSlug,
      userId,
      keyId: key.id,
      role: readRole(claims, key.role),
      context: readContext(claims),
      endsAt: claims.exp! * 1_000,
      memberRole: member?.row?.role ?? null,
      isMemberRemoved: (member?.row?.removedAt ?? null) !== null,
    };
  };
}

/** The header's `kid`, else the claim `secretId`, which nobody has verified yet: it only says which key to try. */
function findKeyId(token: string): string {
  const id = readUnverified(() => decodeProtectedHeader(token)['kid'] ?? decodeJwt(token)['secretId']);
  if (typeof id !== 'string' || !isUuid(id))
    throw refuse('the token names no signing key; put its id into the header as kid');
  return id.toLowerCase();
}

function readUnverified<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw refuse('this is not a JWT: its header or its claims cannot be read');
  }
}

function importKey({ id, publicKey, sealedSecret }: SigningKeyRow, openSecret: OpenSecret | undefined) {
  if (publicKey !== null) return createPublicKey(publicKey);
  if (sealedSecret === null || openSecret === undefined)
    throw refuse('tokens of this signing key cannot be verified here: the server has no HOLDPOINT_SECRET_KEY');
  try {
    return new TextEncoder().encode(openSecret({ id, sealedSecret }));
  } catch {
    throw refuse('tokens of this signing key cannot be verified here: HOLDPOINT_SECRET_KEY does not open its secret');
  }
}

async function verify(token: string, { key, algorithm, audience, issuer }: VerificationKey, now: number) {
  const options = {
    algorithms: NAMES[algorithm],
    requiredClaims: ['sub', 'exp'],
    currentDate: new Date(now),
    ...(audience === null ? {} : { audience }),
    ...(issuer === null ? {} : { issuer }),
  };
  const { payload } = await jwtVerify(token, key, options).catch((error: unknown) => {
    throw explain(error);
  });
  const { exp = 0, iat = now / 1_000 } = payload;
  if (exp * 1_000 > now + MAX_AGE_MS) throw refuse('the token is valid for more than 24 hours; set exp to less');
  if (typeof iat !== 'number' || iat * 1_000 > now + CLOCK_SKEW_MS || iat * 1_000 < now - MAX_AGE_MS)
    throw refuse('the token was issued (iat) in the future or more than 24 hours ago; sign a new one');
  return payload;
}

/** What jose refuses a token for, in words for whoever signs it; nothing that helps to forge one. */
function explain(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return refuse('the token has expired; sign a new one');
  if (error instanceof errors.JWTClaimValidationFailed)
    return refuse(
      `the token's claim ${error.claim} is ${error.reason === 'missing' ? 'missing' : 'not what it must be'}`,
    );
  if (error instanceof errors.JOSEError || error instanceof TypeError)
    return refuse("the token's signature is not that of its signing key; check the key, its algorithm and the token");
  return error;
}

function readUserId({ sub }: JWTPayload): string {
  if (typeof sub === 'string' && sub.length >= 1 && sub.length <= MAX_USER_ID && findJsonProblems(sub).length === 0)
    return sub;
  throw refuse(`the token's claim sub must be a text of 1 to ${MAX_USER_ID} characters`);
}

/** A token may ask for less than its signing key may give, never for more. */
function readRole({ role }: JWTPayload, most: Role): Role {
  if (role === undefined) return most;
  if (!isRole(role)) throw refuse(`the token's claim role must be one of: ${ROLES.join(', ')}`);
  return lowerRole(role, most);
}

function readContext({ context }: JWTPayload): JsonObject {
  if (context === undefined) return {};
  if (isJsonObject(context) && findJsonProblems(context).length === 0) return context;
  throw refuse("the token's claim context must be an object that can be stored");
}
