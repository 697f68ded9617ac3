// Verbs for the keys that a product signs its users' tokens with. A public key is checked before it is kept; a secret is
// long enough, or made here and shown this once, and kept sealed.

import { createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import { v7 as newId } from 'uuid';
import { AppError } from '../core/errors.ts';
import { refuseMoreThanOwn } from '../core/membership.ts';
import { isAtLeast, type Role } from '../core/roles.ts';
import type { Actor } from '../core/run.ts';
import {
  type Algorithm,
  findSigningKey,
  insertSigningKey,
  revokeSigningKey,
  type SigningKeyRow,
} from '../store/access-signing-keys.ts';
import { recordChange } from '../store/audit.ts';
import type { Sealer } from '../store/sealing.ts';
import type { Engine } from './engine.ts';

export interface SigningKeyRequest {
  name: string;
  algorithm: Algorithm;
  /** The most that a token of this key may do. */
  role: Role;
  /** PEM (SPKI), for all algorithms but HS256. */
  publicKey?: string;
  /** Text whose UTF-8 bytes are the key, for HS256; made here when it is left out. */
  secret?: string;
  /** What `aud` and `iss` of its tokens must be. */
  audience?: string;
  issuer?: string;
}

/** RFC 7518 §3.2: as long as the hash; jose would take 8. */
const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2_048;

type Access = Pick<Engine, 'db' | 'sealer'>;

/**
 * Answers the key and, when it was made here and now, its secret. `id`: of the request, where it may be made again; a key
 * that it has made before is found, and its secret is not shown again. Throws `forbidden`, `invalid_request`, `conflict`.
 */
export async function createSigningKey(
  { db, sealer }: Access,
  { actor, request, id = newId() }: { actor: Actor; request: SigningKeyRequest; id?: string | undefined },
): Promise<{ row: SigningKeyRow; secret: string | null }> {
  refuseMoreThanOwn(actor, request.role);
  const { name, algorithm, role, audience = null, issuer = null } = request;
  const material = algorithm === 'HS256' ? sealSecret(sealer ?? null, id, request) : readPublicKey(algorithm, request);
  const { shown, ...stored } = material;
  const owner = { workspaceId: actor.workspaceId, createdBy: actor.userId };
  const isNew = await recordChange(db, actor, {
    change: (connection) =>
      insertSigningKey(connection, { id, name, algorithm, role, audience, issuer, ...owner, ...stored }),
    tell: (isNew) => (isNew ? { action: 'signing_key.created', id, name, detail: { role, algorithm } } : null),
  });
  const row = await findSigningKey(db, id);
  if (row === null) throw new AppError('internal', 'the key was stored and is not there');
  return { row, secret: isNew ? shown : null };
}

/** Its tokens are refused everywhere within five seconds. Revoking again changes nothing. Throws `not_found`, `forbidden`. */
export async function endSigningKey({ db }: Access, { actor, id }: { actor: Actor; id: string }): Promise<void> {
  const row = await findSigningKey(db, id);
  if (row === null || row.workspaceId !== actor.workspaceId)
    throw new AppError('not_found', 'no signing key here has this id');
  if (!isAtLeast(actor.role, row.role))
    throw new AppError('forbidden', `only the role ${row.role} or higher may revoke this key`);
  await recordChange(db, actor, {
    change: (connection) => revokeSigningKey(connection, { id, by: actor.userId }),
    tell: (isDone) => (isDone ? { action: 'signing_key.revoked', id, name: row.name } : null),
  });
}

/** What authentication opens HS256 secrets with. */
export function createSecretOpener(sealer: Sealer): (key: { id: string; sealedSecret: Buffer }) => string {
  return ({ id, sealedSecret }) => sealer.open(sealedSecret, labelOf(id));
}

interface Material {
  publicKey: string | null;
  sealedSecret: Buffer | null;
  shown: string | null;
}

function sealSecret(sealer: Sealer | null, id: string, { secret, publicKey }: SigningKeyRequest): Material {
  if (publicKey !== undefined) throw refuse('/publicKey', 'does not belong to HS256, which signs with a secret');
  if (sealer === null) {
    const advice = 'set HOLDPOINT_SECRET_KEY, or sign with RS256, ES256 or EdDSA';
    throw new AppError('conflict', `this server has no key to seal secrets with; ${advice}`);
  }
  if (secret !== undefined && Buffer.byteLength(secret) < MIN_SECRET_BYTES)
    throw refuse('/secret', `must have at least ${MIN_SECRET_BYTES} bytes; leave it out to have one made`);
  const made = secret ?? randomBytes(MIN_SECRET_BYTES).toString('base64url');
  return {
    publicKey: null,
    sealedSecret: sealer.seal(made, labelOf(id)),
    shown: secret === undefined ? made : null,
  };
}

function readPublicKey(algorithm: Exclude<Algorithm, 'HS256'>, { publicKey, secret }: SigningKeyRequest): Material {
  if (secret !== undefined)
    throw refuse('/secret', `does not belong to ${algorithm}, which verifies with a public key`);
  if (publicKey === undefined) throw refuse('/publicKey', `is required for ${algorithm}: PEM, BEGIN PUBLIC KEY`);
  if (publicKey.includes('PRIVATE KEY'))
    throw refuse('/publicKey', 'is a private key: send its public part, and consider this one known to others');
  const key = parsePublicKey(publicKey);
  if (!fits(algorithm, key)) throw refuse('/publicKey', `must be ${EXPECTED[algorithm]} for ${algorithm}`);
  return { publicKey: String(key.export({ type: 'spki', format: 'pem' })), sealedSecret: null, shown: null };
}

function parsePublicKey(pem: string): KeyObject {
  try {
    return createPublicKey({ key: pem, format: 'pem', type: 'spki' });
  } catch {
    throw refuse('/publicKey', 'cannot be read: send PEM text that begins with -----BEGIN PUBLIC KEY-----');
  }
}

const EXPECTED = {
  RS256: `an RSA key of at least ${MIN_RSA_BITS} bits`,
  ES256: 'a key on the curve P-256',
  EdDSA: 'an Ed25519 key',
} as const;

function fits(algorithm: Exclude<Algorithm, 'HS256'>, key: KeyObject): boolean {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (algorithm) {
    case 'RS256':
      return key.asymmetricKeyType === 'rsa' && modulusLength >= MIN_RSA_BITS;
    case 'ES256':
      return key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1';
    case 'EdDSA':
      return key.asymmetricKeyType === 'ed25519';
  }
}

function labelOf(id: string): string {
  return `signing-key:${id}`;
}

function refuse(pointer: string, message: string): AppError {
  return new AppError('invalid_request', `${pointer} ${message}`, [{ pointer, message }]);
}
