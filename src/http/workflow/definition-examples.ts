// Workflows as the examples of OpenAPI show them, sent and answered. Ids and times in them are made up, and alike wherever
// they mean the same.

import type { JsonObject } from '../../core/json.ts';

const uuid = '0193b6f0-7c1e-7d3a-8f52-6a1c9e4b2d10';
export const requestId = 'f04dd457-008a-4670-b602-9ad86c79d459';
const createdAt = '2026-11-20T09:30:00.000Z';
const updatedAt = createdAt;

export const graph: JsonObject = {
  initialStep: 'collect-inputs-1',
  steps: [
    {
      type: 'collect-inputs',
      id: 'collect-inputs-1',
      name: 'Collect Customer Info',
      output: { customerName: { type: 'string' }, email: { type: 'string', format: 'email' } },
    },
    { type: 'end-flow', id: 'end-1' },
  ],
  edges: [{ from: 'collect-inputs-1', to: 'end-1' }],
};
export const texts = { name: 'Customer Onboarding', description: 'Asks a new customer who they are' };
export const expenseApproval: JsonObject = {
  name: 'Expense Approval',
  initialStep: 'approval',
  steps: [
    {
      type: 'request-user-action',
      id: 'approval',
      message: 'Pay ${data.amount}?',
      actions: [
        { id: 'approve', label: 'Approve' },
        { id: 'reject', label: 'Reject' },
      ],
    },
    { type: 'end-flow', id: 'end' },
  ],
  edges: [{ from: 'approval', to: 'end' }],
};

export const summary: JsonObject = {
  id: 'customer-onboarding',
  ...texts,
  status: 'draft',
  version: '1.0.0',
  publishedVersion: null,
  createdAt,
  updatedAt,
};
export const workflow: JsonObject = { ...graph, ...summary, uuid, createdBy: 'jane' };
export const published: JsonObject = { ...workflow, status: 'published', publishedVersion: '1.0.0' };
export const version: JsonObject = {
  id: 'customer-onboarding',
  version: '1.0.0',
  status: 'draft',
  createdAt,
  createdBy: 'jane',
  publishedAt: null,
  isLatest: true,
  isPublished: false,
};
