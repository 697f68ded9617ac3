// Verbs for members: add, change, remove. The rules are core/membership.ts; a removed member's API keys are revoked with
// them, and what names them in a token is refused within five seconds.

import { AppError } from '../core/errors.ts';
import { checkMemberCommand, type MemberCommand } from '../core/membership.ts';
import type { Actor } from '../core/run.ts';
import { reach } from '../failpoints.ts';
import { changeMember, findMember, type MemberRow } from '../store/access-members.ts';
import { recordChange } from '../store/audit.ts';
import type { Engine } from './engine.ts';

const DONE = { add: 'member.added', change: 'member.changed', remove: 'member.removed' } as const;

export interface MemberRequest {
  actor: Actor;
  command: MemberCommand;
  /** Of the request, the same however often it is worked on: what it did before is answered as done. */
  idempotencyId?: string | undefined;
}

/** Answers the member as they are now, removed or not. Throws `forbidden`, `not_found`, `conflict`. */
export async function commandMember(
  { db }: Pick<Engine, 'db'>,
  { actor, command, idempotencyId: requestId }: MemberRequest,
): Promise<MemberRow> {
  const { workspaceId } = actor;
  const { userId, role = null } = command;
  const change = { workspaceId, userId, role, by: actor.userId, requestId };
  await recordChange(db, actor, {
    change: (connection) =>
      changeMember(connection, change, (situation) => checkMemberCommand(actor, command, situation)),
    tell: (done) =>
      done && {
        action: DONE[command.type],
        id: userId,
        detail: role === null ? { revokedKeys: done.revokedKeys } : { role },
      },
  });
  reach('member.after_commit');
  const row = await findMember(db, { workspaceId, userId });
  if (row === null) throw new AppError('internal', 'the member was stored and is not there');
  return row;
}
