// A change outside runs that its requester may ask for again, because the first answer was lost with its process: what it did
// before is answered as done, and what others have done since is left alone. The line of the audit log has the id of the
// request, as an event has that of its command (change-once.ts).

import type { AuditAction } from '../core/audit.ts';
import type { Actor } from '../core/run.ts';
import { findRecorded } from '../store/audit.ts';
import type { Connection } from '../store/db.ts';
import { isRefusal } from './change-once.ts';

export interface OnceRequest {
  actor: Actor;
  /** Of the request, the same however often it is worked on: what it did before is answered as done. */
  idempotencyId?: string | undefined;
}

export interface OnceWork<Result> {
  /** Makes the change, and records it with the id of the request. */
  change(): Promise<Result>;
  /** Answers a request that has done this before, to the object with this id. */
  again(done: AuditAction, objectId: string): Result | Promise<Result>;
}

/** Throws refusals, and what `change` throws. */
export async function recordOnce<Result>(
  { db }: { db: Connection },
  { actor: { workspaceId }, idempotencyId: commandId }: OnceRequest,
  { change, again }: OnceWork<Result>,
): Promise<Result> {
  if (commandId === undefined) return change();
  const before = await findRecorded(db, { workspaceId, commandId });
  if (before !== null) return again(before.action, before.objectId);
  try {
    return await change();
  } catch (error) {
    const done = isRefusal(error) ? await findRecorded(db, { workspaceId, commandId }) : null;
    if (done === null) throw error;
    return again(done.action, done.objectId);
  }
}
