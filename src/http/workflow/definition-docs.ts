// What OpenAPI says of the workflow face's definition routes: texts, answers, and examples that a test sends as they
// stand. The workflows in them are definition-examples.ts.

import type { HeaderDocs, RouteDocs } from '../route.ts';
import * as answers from './answers.ts';
import {
  expenseApproval,
  graph,
  published,
  requestId,
  summary,
  texts,
  version,
  workflow,
} from './definition-examples.ts';

const tag = 'Workflows';
const params = { id: 'customer-onboarding' };

const ETAG: HeaderDocs = { description: 'The version, for `If-Match`.', schema: { type: 'string' } };
const TOTAL: HeaderDocs = { description: 'How many there are in all.', schema: { type: 'integer' } };
const shown = (description: string) => ({ description, schema: answers.workflow, headers: { etag: ETAG } });
const ARCHIVED = { description: 'The workflow is archived: unarchive it first.' };
const done = (description: string) => ({
  description,
  schema: { type: 'object', properties: { success: { const: true } }, required: ['success'] },
});

export const DEFINITION_DOCS: Readonly<Record<string, RouteDocs>> = {
  'GET /api/workflow/metadata/input/:workflowId': {
    tag,
    summary: 'What a run is to be given',
    description: 'The workflow’s `payload`; without one, what its first collect-inputs step asks for.',
    responses: { 200: { description: 'The input.', schema: answers.inputSchema } },
    examples: [
      {
        name: 'input',
        params: { workflowId: 'customer-onboarding' },
        answer: {
          success: true,
          data: {
            workflowId: 'customer-onboarding',
            payload: { customerName: { type: 'string' }, email: { type: 'string', format: 'email' } },
          },
        },
      },
    ],
  },
  'GET /api/workflows': {
    tag,
    summary: 'Lists workflows, newest update first',
    description: '`search` looks into names and descriptions. Archived ones are left out unless asked for.',
    responses: {
      200: {
        description: 'A page of workflows.',
        schema: answers.listOf(answers.workflowSummary),
        headers: { 'x-total-count': TOTAL },
      },
    },
    examples: [{ name: 'search', query: { search: 'customer', limit: '10' }, answer: [summary] }],
  },
  'POST /api/workflows': {
    tag,
    summary: 'Creates a workflow',
    description:
      'It becomes a draft of version 1.0.0, with a key made from its name. A definition that is wrong is refused with ' +
      'every problem at once, each with its place and a hint.',
    successStatus: 201,
    responses: { 201: shown('The workflow.') },
    examples: [
      { name: 'inputs', body: { ...texts, ...graph }, answer: { ...workflow, id: 'customer-onboarding-2' } },
      {
        name: 'approval',
        body: expenseApproval,
        answer: {
          ...workflow,
          ...expenseApproval,
          description: null,
          id: 'expense-approval-2',
        },
      },
      {
        name: 'edgeToNowhere',
        body: { ...expenseApproval, edges: [{ from: 'approval', to: 'ends' }] },
        status: 400,
        answer: {
          success: false,
          error: {
            code: 'INVALID_DEFINITION',
            message: 'Invalid input: the definition has problems; details lists each with its place',
            details: [
              {
                pointer: '/edges/0/to',
                message: 'names "ends", but no step has that id',
                hint: 'did you mean "end"?',
              },
              { pointer: '/steps/1', message: '"end" can never be reached', hint: 'add an edge to it, or remove it' },
            ],
            requestId,
          },
        },
      },
    ],
  },
  'GET /api/workflows/:id': {
    tag,
    summary: 'One workflow, with its definition',
    responses: { 200: shown('The workflow, as it is in the version asked for; default the latest.') },
    examples: [{ name: 'latest', params, answer: workflow }],
  },
  'PUT /api/workflows/:id': {
    tag,
    summary: 'Adds a version',
    description:
      'Takes a whole definition, or only the keys that change (`null` takes one away). Every update is a new version, also when nothing changed; ' +
      'runs stay on theirs. With `If-Match`, an update that would overwrite somebody else’s is refused.',
    headers: {
      'If-Match': { description: 'The version that the change was made for.', schema: { type: 'string' } },
    },
    responses: {
      200: shown('The workflow, in its new version.'),
      409: ARCHIVED,
      412: { description: 'There is a newer version than `If-Match` names: get it, and change that one.' },
    },
    examples: [
      {
        name: 'describe',
        params,
        body: { description: 'Asks who they are', status: 'testing' },
        answer: { ...workflow, description: 'Asks who they are', status: 'testing', version: '1.0.1' },
      },
    ],
  },
  'GET /api/workflows/:id/versions': {
    tag,
    summary: 'The versions of a workflow, newest first',
    responses: {
      200: {
        description: 'A page of versions.',
        schema: answers.listOf(answers.version),
        headers: { 'x-total-count': TOTAL },
      },
    },
    examples: [{ name: 'draft', params, answer: [version] }],
  },
  'POST /api/workflows/:id/publish': {
    tag,
    summary: 'Publishes a version',
    description: 'The latest, or the one named. Publishing another version later replaces it.',
    responses: { 200: shown('The workflow.'), 409: ARCHIVED },
    examples: [{ name: 'latest', params, body: {}, answer: published }],
  },
  'POST /api/workflows/:id/clone': {
    tag,
    summary: 'Copies a workflow',
    successStatus: 201,
    responses: { 201: shown('The copy: a draft of version 1.0.0.') },
    examples: [
      {
        name: 'copy',
        params,
        body: {},
        answer: { ...workflow, id: 'customer-onboarding-copy', name: 'Customer Onboarding (Copy)' },
      },
    ],
  },
  'DELETE /api/workflows/:id': {
    tag,
    summary: 'Archives a workflow',
    description: 'Runs in flight go on; new ones are refused. Archiving it again is answered the same.',
    responses: { 200: done('It is archived.') },
    examples: [{ name: 'archive', params, answer: { success: true } }],
  },
  'POST /api/workflows/:id/unarchive': {
    tag,
    summary: 'Takes a workflow out of the archive',
    responses: { 200: shown('The workflow.'), 409: { description: 'The workflow is not archived.' } },
    examples: [{ name: 'unarchive', params, answer: workflow }],
  },
  'DELETE /api/workflows/:id/permanent': {
    tag,
    summary: 'Deletes an archived workflow for good',
    description: 'Finished runs keep their record.',
    responses: {
      200: done('It is gone.'),
      409: { description: 'The workflow is not archived, or has unfinished runs.' },
    },
    examples: [{ name: 'delete', params, answer: { success: true } }],
  },
};
