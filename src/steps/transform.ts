// A step that computes a value from what the run has: an object with `${…}` in it, or one expression.

import type { StepType } from '../core/step-type.ts';
import { hasExpression } from '../core/template.ts';

export const transform: StepType = {
  type: 'transform',
  mergesOutput: true,
  properties: { output: { type: ['object', 'string'] } },
  required: ['output'],
  templates: ['output'],

  check({ output }) {
    if (typeof output !== 'string' || hasExpression(output)) return [];
    return [
      {
        pointer: '/output',
        message: 'is plain text, so the step would compute nothing',
        hint: `write an object, or one expression as in \${data.items|length}`,
      },
    ];
  },

  settle: (step, context) => ({ kind: 'complete', output: context.resolve(step['output']) }),
};
