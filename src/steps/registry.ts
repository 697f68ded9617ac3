// The step types of this process, by name and alias. A type that is not listed here does not exist.

import type { StepType, StepTypes } from '../core/step-type.ts';
import { createEgress, type Egress } from '../egress/egress.ts';
import { createCallApi } from './call-api.ts';
import { createCallTool } from './call-tool.ts';
import { createCallback } from './callback.ts';
import { collectInputs } from './collect-inputs.ts';
import { condition } from './condition.ts';
import { endFlow } from './end-flow.ts';
import { requestUserAction } from './request-user-action.ts';
import type { Tools } from './tools.ts';
import { transform } from './transform.ts';
import { wait } from './wait.ts';

/** Every step type: call-tool with `tools`, and those that reach out with `egress`, by default open to public hosts only. */
export function createStepTypes(tools: Tools, egress: Egress = createEgress()): StepTypes {
  const types: readonly StepType[] = [
    collectInputs,
    requestUserAction,
    createCallTool(tools),
    createCallApi(egress),
    createCallback(egress),
    condition,
    transform,
    wait,
    endFlow,
  ];
  const byName = new Map(
    types.flatMap((type) => [type.type, ...(type.aliases ?? [])].map((name) => [name, type] as const)),
  );
  return { get: (name) => byName.get(name), list: () => types };
}
