// Who may give which role to whom: nobody hands out, touches or revokes more than they have, and a workspace keeps an
// owner. Pure; which rows this is about is the store's to know.

import { AppError } from './errors.ts';
import { isAtLeast, type Role } from './roles.ts';
import type { Actor } from './run.ts';

export interface MemberCommand {
  /** `add` expects nobody there, the others somebody. */
  type: 'add' | 'change' | 'remove';
  userId: string;
  /** The role to have; none when removed. */
  role?: Role;
}

export interface MemberSituation {
  /** The role of whom this is about; null when they are not a member. */
  role: Role | null;
  /** Owners beside them. */
  otherOwners: number;
}

/** Throws `not_found`, `conflict` (there already, or the last owner) or `forbidden` when the command may not be done. */
export function checkMemberCommand(actor: Actor, command: MemberCommand, { role, otherOwners }: MemberSituation): void {
  if (command.role !== undefined) refuseMoreThanOwn(actor, command.role);
  if (command.type === 'add' && role !== null)
    throw new AppError('conflict', 'this user is a member already; change the role instead');
  if (command.type !== 'add' && role === null) throw new AppError('not_found', 'no member here has this user id');
  if (role !== null && !isAtLeast(actor.role, role))
    throw new AppError('forbidden', `only a member with the role ${role} or higher may change this one`);
  if (role === 'owner' && command.role !== 'owner' && otherOwners === 0)
    throw new AppError('conflict', 'this is the last owner; make another member owner first');
}

/** Throws `forbidden` when `role` is higher than the actor's own: for members, API keys and signing keys alike. */
export function refuseMoreThanOwn(actor: Actor, role: Role): void {
  if (isAtLeast(actor.role, role)) return;
  throw new AppError('forbidden', `the role ${role} is higher than your own, ${actor.role ?? 'none'}; ask for less`);
}
