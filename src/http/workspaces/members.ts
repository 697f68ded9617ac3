// Routes of a workspace's members and their roles.

import { AppError } from '../../core/errors.ts';
import { findJsonProblems } from '../../core/json.ts';
import type { Engine } from '../../engine/engine.ts';
import { commandMember } from '../../engine/members.ts';
import { listMembers } from '../../store/access-members.ts';
import { defineRoute, type Reply, type Route, type RouteRequest } from '../route.ts';
import { answerPage } from './page.ts';
import { presentMember } from './present.ts';
import * as schemas from './schemas.ts';

const TAG = 'Members';
const PATH = '/workspaces/:wId/members';

export function memberRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: PATH,
      role: 'admin',
      query: schemas.memberPageQuery,
      tag: TAG,
      summary: 'Members, by user id',
      responses: { 200: { description: 'A page of members', schema: schemas.listOf(schemas.memberAnswer) } },
      async handler({ actor, query }: RouteRequest<schemas.PageQuery>): Promise<Reply> {
        const list = listMembers.bind(null, engine.db);
        return answerPage(actor.workspaceId, query, { list, idOf: ({ userId }) => userId, present: presentMember });
      },
    }),
    defineRoute({
      method: 'POST',
      path: PATH,
      role: 'admin',
      body: schemas.memberBody,
      tag: TAG,
      summary: "Adds a member; a member's role is the most that their keys and tokens may do",
      successStatus: 201,
      responses: {
        201: { description: 'The member', schema: schemas.memberAnswer },
        409: { description: 'The user is a member already' },
      },
      async handler({ actor, body }: RouteRequest<unknown, schemas.MemberBody>): Promise<Reply> {
        const member = await commandMember(engine, { actor, command: { type: 'add', ...body } });
        return { status: 201, body: presentMember(member) };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: `${PATH}/:userId`,
      role: 'admin',
      body: schemas.memberRoleBody,
      tag: TAG,
      summary: 'Gives a member another role',
      responses: {
        200: { description: 'The member as they are now', schema: schemas.memberAnswer },
        409: { description: 'This is the last owner' },
      },
      async handler({ actor, params, body }: RouteRequest<unknown, schemas.MemberRoleBody>): Promise<Reply> {
        const userId = requireUserId(params['userId']!);
        return {
          body: presentMember(await commandMember(engine, { actor, command: { type: 'change', userId, ...body } })),
        };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: `${PATH}/:userId`,
      role: 'admin',
      tag: TAG,
      summary: 'Removes a member, revokes their API keys, and refuses tokens that name them',
      successStatus: 204,
      responses: { 204: { description: 'Removed' }, 409: { description: 'This is the last owner' } },
      async handler({ actor, params }): Promise<Reply> {
        await commandMember(engine, { actor, command: { type: 'remove', userId: requireUserId(params['userId']!) } });
        return { status: 204, body: null };
      },
    }),
  ];
}

/** What could not be stored is nobody's id. */
function requireUserId(text: string): string {
  if (text.length > 200 || findJsonProblems(text).length > 0)
    throw new AppError('not_found', 'no member here has this user id');
  return text;
}
