// Verbs for members: add, change, remove. The rules are core/membership.ts; a removed member's API keys are revoked with
// them, and what names them in a token is refused within five seconds.

import { AppError } from '../core/errors.ts';
import { checkMemberCommand, type MemberCommand } from '../core/membership.ts';
import type { Actor } from '../core/run.ts';
import { changeMember, findMember, type MemberRow } from '../store/access-members.ts';
import type { Engine } from './engine.ts';

/** Answers the member as they are now, removed or not. Throws `forbidden`, `not_found`, `conflict`. */
export async function commandMember(
  { db }: Pick<Engine, 'db'>,
  { actor, command }: { actor: Actor; command: MemberCommand },
): Promise<MemberRow> {
  const { workspaceId } = actor;
  const { userId, role = null } = command;
  await changeMember(db, { workspaceId, userId, role, by: actor.userId }, (situation) =>
    checkMemberCommand(actor, command, situation),
  );
  const row = await findMember(db, { workspaceId, userId });
  if (row === null) throw new AppError('internal', 'the member was stored and is not there');
  return row;
}
