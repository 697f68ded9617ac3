// One page of a list: as many rows as were asked for, and in `X-Next-Cursor` where the next page begins, if there is one.

import type { JsonObject } from '../core/json.ts';
import type { Page } from '../store/access-api-keys.ts';
import type { Reply } from './route.ts';

const PAGE = 50;

export interface PageQuery {
  limit?: number;
  cursor?: string;
}

/** `list` is asked for one row more than is shown: its being there is what tells of a next page. */
export async function answerPage<Row>(
  workspaceId: string,
  { limit = PAGE, cursor }: PageQuery,
  {
    list,
    idOf,
    present,
  }: {
    list(page: Page): Promise<Row[]>;
    idOf(row: Row): string;
    present(row: Row): JsonObject;
  },
): Promise<Reply> {
  const rows = await list({ workspaceId, limit: limit + 1, ...(cursor === undefined ? {} : { after: cursor }) });
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit && last !== undefined;
  return { body: shown.map(present), headers: hasMore ? { 'x-next-cursor': encodeURIComponent(idOf(last)) } : {} };
}
