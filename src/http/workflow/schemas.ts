// JSON Schemas of what the workflow face takes (API.md §1), beside the types they describe. The definition itself is
// checked by core/validation.ts, which knows the step types.

import type { JsonObject } from '../../core/json.ts';
import { VERSION_SELECTOR } from '../../store/definitions.ts';
import { HISTORY_POSITION } from '../../store/run-views.ts';

const version = {
  type: 'string',
  pattern: VERSION_SELECTOR,
  description: '"latest", "published", "1.0.N" or a number',
};
const stepId = { type: 'string', minLength: 1, maxLength: 64 };
const pauseId = { type: 'string', minLength: 1, maxLength: 64 };

function object(properties: JsonObject, required: string[] = []): JsonObject {
  return { type: 'object', properties, required, additionalProperties: false };
}

export interface StartBody {
  data?: JsonObject;
  version?: string;
}
export const startBody = object({ data: { type: 'object' }, version });

export interface StatusQuery {
  after?: string;
}
export const statusQuery = object({
  after: { type: 'string', pattern: HISTORY_POSITION, description: 'the `next` of an earlier answer' },
});

export type ResumeBody = { stepId?: string; pauseId?: string; data?: JsonObject } & (
  | { type: 'collect_inputs'; data: JsonObject }
  | { type: 'request_user_action'; actionId: string; actionValue?: string; comment?: string }
);
export const resumeBody: JsonObject = {
  type: 'object',
  properties: { type: { type: 'string' } },
  required: ['type'],
  discriminator: { propertyName: 'type' },
  oneOf: [
    object({ type: { const: 'collect_inputs' }, data: { type: 'object' }, stepId, pauseId }, ['data']),
    object(
      {
        type: { const: 'request_user_action' },
        actionId: { type: 'string', minLength: 1, maxLength: 200 },
        actionValue: { type: 'string', minLength: 1, maxLength: 200 },
        comment: { type: 'string', maxLength: 10_000 },
        data: { type: 'object' },
        stepId,
        pauseId,
      },
      ['actionId'],
    ),
  ],
};

export interface ControlBody {
  workflowId?: string;
  runId: string;
  reason?: string;
}
export const controlBody = object(
  {
    workflowId: { type: 'string', minLength: 1, maxLength: 200 },
    runId: { type: 'string', minLength: 1, maxLength: 200 },
    reason: { type: 'string', maxLength: 2_000 },
  },
  ['runId'],
);

export interface ListQuery {
  search?: string;
  status?: 'draft' | 'testing' | 'published' | 'archived';
  includeArchived?: boolean;
  limit?: number;
  offset?: number;
}
export const listQuery = object({
  // Postgres refuses NUL in text.
  search: { type: 'string', maxLength: 200, pattern: '^[^\\u0000]*$', description: 'text without NUL' },
  status: { type: 'string', enum: ['draft', 'testing', 'published', 'archived'] },
  includeArchived: { type: 'boolean' },
  limit: { type: 'integer', minimum: 1, maximum: 200 },
  offset: { type: 'integer', minimum: 0, maximum: 1_000_000_000 },
});

export interface VersionQuery {
  version?: string;
}
export const versionQuery = object({ version });

export interface PublishBody {
  version?: string;
}
export const publishBody = object({ version });

export interface VersionsQuery {
  limit?: number;
  offset?: number;
}
export const versionsQuery = object({
  limit: { type: 'integer', minimum: 1, maximum: 1_000 },
  offset: { type: 'integer', minimum: 0, maximum: 1_000_000_000 },
});

export interface CloneBody {
  name?: string;
}
export const cloneBody = object({ name: { type: 'string', minLength: 1, maxLength: 200 } });

/** What the keys of a definition must be is the engine's to say, once they are laid over the latest version. */
export type UpdateBody = JsonObject & { status?: 'draft' | 'testing' };
export const updateBody: JsonObject = {
  type: 'object',
  properties: { status: { type: 'string', enum: ['draft', 'testing'] } },
};

export const noBody = object({});

/** Anything that is an object; what must be in it is the engine's to say, all problems at once. */
export const definitionBody: JsonObject = { type: 'object' };
