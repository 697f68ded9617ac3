// The verbs of a workspace's secrets: set and delete. A value goes in and only a running step gets it out
// (engine/reveal-secrets.ts).

import { AppError, type Problem } from '../core/errors.ts';
import { MAX_SECRET_CHARS, MIN_SECRET_CHARS, SECRET_NAME, SECRET_NAME_RULE } from '../core/secrets.ts';
import { recordChange } from '../store/audit.ts';
import type { Sealer } from '../store/sealing.ts';
import {
  deleteSecretRow,
  findSecret,
  MAX_SECRETS,
  putSecret,
  type SealedSecret,
  type SecretRow,
} from '../store/secrets.ts';
import type { Engine } from './engine.ts';
import { type OnceRequest, recordOnce } from './record-once.ts';

export interface NewSecret extends OnceRequest {
  name: string;
  value: string;
}

/** What a value is sealed for: it opens under no other name, and in no other workspace. */
export function labelOf({ workspaceId, name }: Pick<SealedSecret, 'workspaceId' | 'name'>): string {
  return `secret ${workspaceId}/${name}`;
}

/** Sets a secret, new or over an old one. Throws `invalid_request`, or `conflict` when none can be kept. */
export async function setSecret(
  engine: Engine,
  { name, value, ...request }: NewSecret,
): Promise<SecretRow & { isNew: boolean }> {
  const problems = findProblems(name, value);
  if (problems.length > 0)
    throw new AppError('invalid_request', 'the secret cannot be kept; details says why', problems);
  const { actor, idempotencyId: commandId } = request;
  const { workspaceId, userId } = actor;
  const sealed = requireSealer(engine).seal(value, labelOf({ workspaceId, name }));
  const change = async () => {
    const row = await recordChange(engine.db, actor, {
      change: (connection) => putSecret(connection, { workspaceId, name, sealed, updatedBy: userId }),
      tell: (row) => row && { action: row.isNew ? 'secret.created' : 'secret.updated', id: name },
      commandId,
    });
    if (row !== null) return row;
    const most = `the workspace has ${MAX_SECRETS} secrets, the most there may be`;
    throw new AppError('conflict', `${most}; delete one first`);
  };
  return recordOnce(engine, request, {
    change,
    async again(done) {
      const row = await findSecret(engine.db, { workspaceId, name });
      if (row === null) throw secretNotFound();
      return { ...row, isNew: done === 'secret.created' };
    },
  });
}

/** Deletes a secret; steps that name it fail from now on. Throws `not_found`. */
export async function deleteSecret(engine: Engine, { name, ...request }: Omit<NewSecret, 'value'>): Promise<void> {
  if (!SECRET_NAME.test(name)) throw secretNotFound();
  const { actor, idempotencyId: commandId } = request;
  const change = async () => {
    const isDone = await recordChange(engine.db, actor, {
      change: (connection) => deleteSecretRow(connection, { workspaceId: actor.workspaceId, name }),
      tell: (isDone) => (isDone ? { action: 'secret.deleted', id: name } : null),
      commandId,
    });
    if (!isDone) throw secretNotFound();
  };
  return recordOnce(engine, request, { change, again: () => {} });
}

function secretNotFound(): AppError {
  return new AppError('not_found', 'the workspace has no secret of this name');
}

function requireSealer({ sealer }: Engine): Sealer {
  if (sealer) return sealer;
  throw new AppError('conflict', 'this server keeps no secrets: its operator has to set HOLDPOINT_SECRET_KEY first');
}

function findProblems(name: string, value: string): Problem[] {
  const problems: Problem[] = [];
  if (!SECRET_NAME.test(name)) problems.push({ pointer: '/name', message: 'cannot be used', hint: SECRET_NAME_RULE });
  if (value.length < MIN_SECRET_CHARS || value.length > MAX_SECRET_CHARS)
    problems.push({
      pointer: '/value',
      message: `must have ${MIN_SECRET_CHARS} to ${MAX_SECRET_CHARS} characters`,
      hint: 'a shorter one could not be kept out of outputs; what is no secret may stand in the definition',
    });
  else if (!value.isWellFormed() || value.includes('\u0000'))
    problems.push({
      pointer: '/value',
      message: 'holds a NUL character or a lone surrogate',
      hint: 'send well-formed text',
    });
  return problems;
}
