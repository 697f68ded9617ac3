// The tool `http`: what the call-api step does, for steps that call tools.

import type { JsonObject } from '../core/json.ts';
import type { Egress } from '../egress/egress.ts';
import { callHttp } from './http-call.ts';
import { encoderAt } from './http-encoding.ts';
import { findRequestProblems, REQUEST_PROPERTIES } from './http-request.ts';
import { defineTool, type Tool } from './tools.ts';

export function createHttpTool(egress: Egress): Tool {
  return defineTool({
    name: 'http',
    description: 'Sends an HTTP request and returns status, headers and data of the response',
    input: { type: 'object', properties: REQUEST_PROPERTIES, required: ['url'], additionalProperties: false },
    check: (args) => findRequestProblems(args, egress),
    encode: (args, pointer) => encoderAt(args, pointer),
    async handler(_args, context) {
      const { args } = await context.reveal();
      return callHttp(egress, args as JsonObject, context);
    },
  });
}
