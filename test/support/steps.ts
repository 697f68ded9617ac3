// Steps and edges of test workflows, in one line each.

import type { Edge, Step } from '../../src/core/definition.ts';

/** A call of one of the tools of support/tools.ts. */
export function tool(id: string, name: string, args: object = {}, more: Partial<Step> = {}): Step {
  return { id, type: 'call-tool', tool: name, args, ...more };
}

/** A step that asks for approval. */
export function ask(id = 'ask', more: Partial<Step> = {}): Step {
  return { id, type: 'request-user-action', ...more };
}

export const APPROVE = { type: 'request_user_action', actionId: 'approve' } as const;

/** `a b c` is a chain; several chains make a graph. */
export function edges(...chains: string[]): Edge[] {
  return chains.flatMap((chain) => {
    const ids = chain.split(' ');
    return ids.slice(1).map((to, index) => ({ from: ids[index]!, to }));
  });
}
