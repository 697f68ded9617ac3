// What OpenAPI says of the workflow face's run routes: texts, answers, and examples that a test sends as they stand. Ids
// and times in them are made up, and alike wherever they mean the same.

import type { JsonObject } from '../../core/json.ts';
import type { RouteDocs } from '../route.ts';
import * as answers from './answers.ts';

const tag = 'Runs';
const runId = '0193b6f1-2a40-7b16-9d07-5e8f3c7a1b42';
const pauseId = '0193b6f1-2a44-7c90-a1e3-0d4b6f82c953';
const requestId = 'f04dd457-008a-4670-b602-9ad86c79d459';
const startTime = '2026-11-20T09:31:00.000Z';
const endTime = '2026-11-20T09:31:05.000Z';
const workflowId = 'customer-onboarding';
const john = { customerName: 'John Doe', email: 'john@example.com' };

const fields: JsonObject = { customerName: { type: 'string' }, email: { type: 'string', format: 'email' } };
const pause: JsonObject = { type: 'collect_inputs', stepId: 'collect-inputs-1', fields, id: pauseId };
const step: JsonObject = {
  stepId: 'collect-inputs-1',
  stepType: 'collect-inputs',
  stepName: 'Collect Customer Info',
  status: 'running',
  startTime,
  endTime: null,
  duration: null,
  inputData: null,
  outputData: null,
  error: null,
  visit: 1,
  attempts: 1,
};
const cancelled = (type: 'cancel' | 'terminate'): JsonObject => ({
  success: true,
  data: { runId, status: 'cancelled', cancellation: { type, reason: 'Entered twice', by: 'jane', at: endTime } },
});

const ARCHIVED = {
  description: 'The workflow is archived, or a request with this `Idempotency-Key` is still running.',
};
const PREFER = {
  Prefer: { description: '`wait=N`: wait at most so many seconds, 1 to 300.', schema: { type: 'string' } },
};

export const RUN_DOCS: Readonly<Record<string, RouteDocs>> = {
  'POST /api/workflow/start/:workflowId': {
    tag,
    summary: 'Starts a run and waits for it',
    description:
      'Answers when the run has ended or waits for somebody, or after 60 seconds (`Prefer: wait=N`). The run is stored ' +
      'before anything is awaited: it goes on whether or not anybody listens. `version` is `latest` (default), ' +
      '`published`, `1.0.3` or `3`.',
    headers: PREFER,
    responses: {
      200: { description: 'The run has ended, or is paused; `status` says which.', schema: answers.settled },
      202: { description: 'The run goes on; ask for its status.', schema: answers.settled },
      409: ARCHIVED,
    },
    examples: [
      {
        name: 'completes',
        params: { workflowId },
        body: { data: john },
        answer: { runId, status: 'completed', data: john, result: { success: true } },
      },
      {
        name: 'pauses',
        params: { workflowId },
        body: { data: {} },
        answer: { runId, status: 'paused', data: {}, pauseSignal: pause, pauseSignals: [pause] },
      },
    ],
  },
  'POST /api/workflow/start-async/:workflowId': {
    tag,
    summary: 'Starts a run',
    description: 'Answers as soon as the run is stored. `version` as for a start that waits.',
    responses: { 200: { description: 'The run.', schema: answers.started }, 409: ARCHIVED },
    examples: [{ name: 'start', params: { workflowId }, body: { data: john, version: '1.0.0' }, answer: { runId } }],
  },
  'GET /api/workflow/status/:runId': {
    tag,
    summary: 'Where a run is, and how it came there',
    description:
      'The newest 1,000 entries of the history; when there are more, `after` with the answer’s `next` gives them.',
    responses: { 200: { description: 'The run.', schema: answers.runStatus } },
    examples: [
      {
        name: 'paused',
        params: { runId },
        answer: {
          runId,
          workflowId,
          version: '1.0.0',
          status: 'paused',
          currentStepId: 'collect-inputs-1',
          pauseSignal: pause,
          pauseSignals: [pause],
          data: {},
          stepExecutionHistory: [step],
          result: null,
          error: null,
          startTime,
          endTime: null,
        },
      },
      {
        name: 'unknown',
        params: { runId: '0193b6f1-0000-7000-8000-000000000000' },
        status: 404,
        answer: {
          success: false,
          error: {
            code: 'RUN_NOT_FOUND',
            message: 'Workflow run not found: no run here has this id',
            details: [],
            requestId,
          },
        },
      },
    ],
  },
  'POST /api/workflow/resume/:runId': {
    tag,
    summary: 'Answers a pause',
    description:
      'Exactly one answer to a pause wins. An answer that does not fit leaves the pause open. With several pauses of the ' +
      'same type open, `stepId` or `pauseId` says which is meant.',
    responses: {
      200: { description: 'The answer is stored, and the run goes on.', schema: answers.resumed },
      409: { description: 'Nobody is waited for, the pause was answered before, or several are open.' },
    },
    examples: [
      {
        name: 'inputs',
        params: { runId },
        body: { type: 'collect_inputs', data: john },
        answer: { runId, status: 'completed' },
      },
      {
        name: 'action',
        params: { runId },
        body: { type: 'request_user_action', actionId: 'approve', comment: 'Within budget' },
        answer: { runId, status: 'completed' },
      },
      {
        name: 'doesNotFit',
        params: { runId },
        body: { type: 'collect_inputs', data: { customerName: 7, email: 'john@example.com' } },
        status: 400,
        answer: {
          success: false,
          error: {
            code: 'INVALID_INPUT',
            message: 'Invalid input: The answer does not fit; the pause stays open',
            details: [{ pointer: '/data/customerName', message: 'must be text' }],
            requestId,
          },
        },
      },
    ],
  },
  'POST /api/workflow/management/cancel': {
    tag,
    summary: 'Cancels a run, with its clean-up',
    description:
      'No new steps begin; the running one is told, and has 30 seconds; then the definition’s `onCancel` step runs. ' +
      'Cancelling again is answered the same.',
    responses: {
      200: { description: 'It is being cancelled, or is.', schema: answers.stopped },
      404: { description: 'There is no such run, or it is not of this workflow.' },
      409: { description: 'The run has ended.' },
    },
    examples: [{ name: 'cancel', body: { workflowId, runId, reason: 'Entered twice' }, answer: cancelled('cancel') }],
  },
  'POST /api/workflow/management/terminate': {
    tag,
    summary: 'Ends a run at once',
    description: 'Without clean-up; what steps in flight still bring is refused.',
    responses: {
      200: { description: 'It is cancelled.', schema: answers.stopped },
      404: { description: 'There is no such run, or it is not of this workflow.' },
      409: { description: 'The run has ended.' },
    },
    examples: [{ name: 'terminate', body: { runId, reason: 'Entered twice' }, answer: cancelled('terminate') }],
  },
};
