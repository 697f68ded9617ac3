// Verbs for members: add, change, remove. The rules are core/membership.ts; a removed member's API keys are revoked with
// them, and what names them in a token is refused within five seconds.

import { AppError } from '../core/errors.ts';
import { checkMemberCommand, type MemberCommand } from '../core/membership.ts';
import { changeMember, findMember, type MemberRow } from '../store/access-members.ts';
import { recordChange } from '../store/audit.ts';
import type { Engine } from './engine.ts';
import { type OnceRequest, recordOnce } from './record-once.ts';

const DONE = { add: 'member.added', change: 'member.changed', remove: 'member.removed' } as const;

export interface MemberRequest extends OnceRequest {
  command: MemberCommand;
}

/** Answers the member as they are now, removed or not. Throws `forbidden`, `not_found`, `conflict`. */
export async function commandMember(
  { db }: Pick<Engine, 'db'>,
  { command, ...request }: MemberRequest,
): Promise<MemberRow> {
  const { actor, idempotencyId: commandId } = request;
  const { workspaceId } = actor;
  const { userId, role = null } = command;
  const change = async () => {
    await recordChange(db, actor, {
      change: (connection) =>
        changeMember(connection, { workspaceId, userId, role, by: actor.userId }, (situation) =>
          checkMemberCommand(actor, command, situation),
        ),
      tell: ({ revokedKeys }) => ({
        action: DONE[command.type],
        id: userId,
        detail: role === null ? { revokedKeys } : { role },
      }),
      commandId,
    });
  };
  await recordOnce({ db }, request, { change, again: () => {} });
  const row = await findMember(db, { workspaceId, userId });
  if (row === null) throw new AppError('internal', 'the member was stored and is not there');
  return row;
}
