// All that steps need in one process, from its settings: the guarded client, the tools, and the step types over both.

import type { StepTypes } from '../core/step-type.ts';
import { createEgress } from '../egress/egress.ts';
import { createHttpTool } from './http-tool.ts';
import { createStepTypes } from './registry.ts';
import { createSendEmail, type MailSettings } from './send-email.ts';
import { loadTools, type Tools } from './tools.ts';

export interface StepSettings extends MailSettings {
  toolModules: string[];
  egressAllow: string[];
}

export interface LoadedSteps {
  tools: Tools;
  types: StepTypes;
  close(): Promise<void>;
}

/** Throws when a tool module or an entry of HOLDPOINT_EGRESS_ALLOW cannot be used. `tools` are instead of the settings' */
export async function loadSteps(
  settings: StepSettings,
  { onCall, tools: given }: { onCall?: (outcome: string) => void; tools?: Tools | undefined } = {},
): Promise<LoadedSteps> {
  const egress = createEgress({ allow: settings.egressAllow, ...(onCall ? { onCall } : {}) });
  const builtIn = [createHttpTool(egress), createSendEmail(settings)];
  const tools = given ?? (await loadTools(settings.toolModules, process.cwd(), builtIn));
  return { tools, types: createStepTypes(tools, egress), close: () => egress.close() };
}
