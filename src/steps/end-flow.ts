// A step that ends the run, as completed or as failed, and says with what result.

import type { StepType } from '../core/step-type.ts';

export const endFlow: StepType = {
  type: 'end-flow',
  mergesOutput: false,
  properties: {
    result: true,
    status: { enum: ['completed', 'failed'] },
    error: { type: 'string', minLength: 1, maxLength: 10_000 },
  },
  templates: ['result', 'error'],
  edgeNames: () => [],

  check(step) {
    if (step['error'] === undefined || step['status'] === 'failed') return [];
    return [{ pointer: '/error', message: 'is only said by a flow that fails', hint: 'add "status": "failed"' }];
  },

  settle(step, context) {
    const result = step['result'] === undefined ? {} : { result: context.resolve(step['result']) };
    if (step['status'] !== 'failed') return { kind: 'end', status: 'completed', ...result };
    const reason = step['error'] === undefined ? null : context.resolve(step['error']);
    const message =
      typeof reason === 'string' && reason !== ''
        ? reason
        : reason === null || reason === ''
          ? 'The flow ended as failed'
          : JSON.stringify(reason);
    return { kind: 'end', status: 'failed', ...result, error: { code: 'flow_failed', message } };
  },
};
