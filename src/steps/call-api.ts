// A step that calls an HTTP API, through the guarded client. The response's status says whether the step is done, is tried
// again or has failed.

import type { Step } from '../core/definition.ts';
import type { Problem } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { findSecretNames, findSecretProblems } from '../core/secret-templates.ts';
import { SECRET_NAME } from '../core/secrets.ts';
import type { StepType } from '../core/step-type.ts';
import type { Egress } from '../egress/egress.ts';
import { callHttp } from './http-call.ts';
import { encoderAt } from './http-encoding.ts';
import { findRequestProblems, REQUEST_PROPERTIES } from './http-request.ts';

const FIELDS = ['url', 'query', 'headers', 'body'] as const;

export function createCallApi(egress: Egress): StepType {
  return {
    type: 'call-api',
    aliases: ['http'],
    mergesOutput: false,
    properties: {
      ...REQUEST_PROPERTIES,
      secrets: { type: 'array', maxItems: 50, items: { type: 'string', minLength: 1, maxLength: 64 } },
    },
    required: ['url'],
    templates: FIELDS,
    interpolation: (step, field) => ({
      secrets: true,
      encode: (pointer) => encoderAt(step as JsonObject, `/${field}${pointer}`),
    }),
    check: (step) => [...findRequestProblems(step as JsonObject, egress), ...checkSecrets(step)],

    async work(step, context) {
      const { method, successStatus } = step as JsonObject;
      const fields = {
        ...(await context.reveal()),
        ...(method ? { method } : {}),
        ...(successStatus ? { successStatus } : {}),
      };
      return callHttp(egress, fields, context);
    },
  };
}

/** `secrets` says which ones a step may name, for whoever reviews it; without it, any. */
function checkSecrets(step: Step): Problem[] {
  const { secrets: listed } = step;
  const used = findSecretNames(FIELDS.map((field) => step[field]));
  if (!Array.isArray(listed)) return findSecretProblems(used, '');
  const bad = listed.map((name, index) =>
    SECRET_NAME.test(String(name))
      ? null
      : { pointer: `/secrets/${index}`, message: 'is no name that a secret can have' },
  );
  const unlisted = [...used].filter((name) => !listed.includes(name));
  return [
    ...findSecretProblems(used, ''),
    ...bad.filter((problem) => problem !== null),
    ...unlisted.map((name) => ({ pointer: '/secrets', message: `does not list "${name}", which the step names` })),
  ];
}
