// A step that answers yes or no from an expression; its edges `on: "true"` and `on: "false"` go on from there.

import type { StepType } from '../core/step-type.ts';

export const condition: StepType = {
  type: 'condition',
  mergesOutput: false,
  properties: { condition: { type: 'string', minLength: 1 } },
  required: ['condition'],
  templates: [],
  expressions: ['condition'],
  edgeNames: () => ['true', 'false'],

  settle(step, context) {
    const holds = Boolean(context.resolve(step['condition']));
    return { kind: 'complete', output: { condition: holds }, on: [String(holds)] };
  },
};
