// What the workflows of a pod take (API.md §3): JSON Schemas beside the types they describe, then calls as they look on the wire, with
// their answers; OpenAPI shows them and a test sends each. Ids and times in them are made up. Definitions are checked by
// core/validation.ts, which knows the step types.

import type { JsonObject } from '../../core/json.ts';
import { VERSION_SELECTOR } from '../../store/definitions.ts';
import { closedObject } from '../json-schema.ts';
import type { RouteExample } from '../route.ts';

const limit = { type: 'integer', minimum: 1, maximum: 200, description: 'default 50' };
const offsetCursor = { type: 'string', pattern: '^[0-9]{1,9}$', description: 'X-Next-Cursor of the page before' };
const version = {
  type: ['string', 'integer'],
  pattern: VERSION_SELECTOR,
  minimum: 1,
  maximum: 999_999_999,
  description: '"latest", "published", "1.0.N" or a number',
};

export interface ListWorkflowsQuery {
  search?: string;
  status?: 'draft' | 'testing' | 'published' | 'archived';
  limit?: number;
  cursor?: string;
}
export const listWorkflowsQuery = closedObject({
  search: { type: 'string', maxLength: 200 },
  status: { type: 'string', enum: ['draft', 'testing', 'published', 'archived'] },
  limit,
  cursor: offsetCursor,
});

/** A definition; what its keys must be is the engine's to say, all problems at once. */
export type WorkflowBody = JsonObject & { status?: 'draft' | 'testing' };
export const workflowBody: JsonObject = { type: 'object' };
export const updateWorkflowBody: JsonObject = {
  type: 'object',
  properties: { status: { type: 'string', enum: ['draft', 'testing'] } },
};

export interface VersionQuery {
  version?: string;
}
export const versionQuery = closedObject({
  version: { type: 'string', pattern: VERSION_SELECTOR, description: '"latest", "published", "1.0.N" or a number' },
});

export interface DeployBody {
  version?: string | number;
}
export const deployBody = closedObject({ version });

export interface VersionsQuery {
  limit?: number;
  cursor?: string;
}
export const versionsQuery = closedObject({ limit, cursor: offsetCursor });

type Examples = readonly RouteExample[];

const workflowId = '0193b6f0-7c1e-7d3a-8f52-6a1c9e4b2d10';
const workspaceId = '0193b6ee-0a12-7b44-9f3e-8d2c5b7a6e01';
const createdAt = '2026-11-20T09:31:00.000Z';

const params = { wId: 'acme', podId: 'default' };

const graph: JsonObject = {
  initialStep: 'ask',
  steps: [
    { id: 'ask', type: 'ask-human', question: 'Which colour?' },
    { id: 'gate', type: 'approval-gate', message: 'Paint it ${data.answer}?' },
    { id: 'end', type: 'end-flow' },
  ],
  edges: [
    { from: 'ask', to: 'gate' },
    { from: 'gate', to: 'end' },
  ],
};
const workflowSummary: JsonObject = {
  id: workflowId,
  key: 'repaint',
  podId: workspaceId,
  name: 'Repaint',
  description: null,
  status: 'draft',
  version: 1,
  deployedVersion: null,
  createdBy: 'jane',
  createdAt,
  updatedAt: createdAt,
};
const workflow: JsonObject = {
  ...graph,
  steps: [
    { id: 'ask', type: 'collect-inputs', question: 'Which colour?', output: { answer: { type: 'string' } } },
    {
      id: 'gate',
      type: 'request-user-action',
      message: 'Paint it ${data.answer}?',
      actions: [
        { id: 'approve', label: 'Approve' },
        { id: 'reject', label: 'Reject' },
      ],
    },
    { id: 'end', type: 'end-flow' },
  ],
  ...workflowSummary,
};
const ofWorkflow = { ...params, id: 'repaint' };

export const createWorkflowExamples: Examples = [
  { name: 'repaint', params, body: { name: 'Repaint', ...graph }, answer: workflow },
];
export const listWorkflowsExamples: Examples = [
  { name: 'search', params, query: { search: 'paint' }, answer: [workflowSummary] },
];
export const showWorkflowExamples: Examples = [{ name: 'latest', params: ofWorkflow, answer: workflow }];
export const updateWorkflowExamples: Examples = [
  {
    name: 'describe',
    params: ofWorkflow,
    body: { description: 'Every spring' },
    answer: { ...workflow, description: 'Every spring', version: 2 },
  },
];
export const deployExamples: Examples = [
  {
    name: 'latest',
    params: ofWorkflow,
    body: {},
    answer: { ...workflow, status: 'published', deployedVersion: 1 },
  },
];
export const versionsExamples: Examples = [
  {
    name: 'all',
    params: ofWorkflow,
    answer: [
      {
        workflowId,
        version: 1,
        status: 'draft',
        createdBy: 'jane',
        createdAt,
        deployedAt: null,
        isLatest: true,
        isDeployed: false,
      },
    ],
  },
];
