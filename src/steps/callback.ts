// A step that sends a signed message and waits for what comes of it: until it is delivered, or until its receiver answers at an
// address that is sent along. Sending it is the engine's; this file knows what is to be sent.

import { LIMITS, type Step } from '../core/definition.ts';
import type { Problem } from '../core/errors.ts';
import { ExpressionError } from '../core/expression.ts';
import type { JsonObject } from '../core/json.ts';
import { SECRET_NAME, SECRET_NAME_RULE } from '../core/secrets.ts';
import type { StepType } from '../core/step-type.ts';
import type { Egress } from '../egress/egress.ts';
import { encoderAt } from './http-encoding.ts';
import { findRequestProblems, leadsElsewhere } from './http-request.ts';

export function createCallback(egress: Egress): StepType {
  return {
    type: 'callback',
    mergesOutput: false,
    properties: {
      url: { type: 'string', minLength: 1, maxLength: 10_000 },
      payload: true,
      secret: { type: 'string', minLength: 1, maxLength: 64 },
      waitForAnswer: { type: 'boolean' },
      dueInMs: { type: 'integer', minimum: 1, maximum: LIMITS.delayMs },
    },
    required: ['url'],
    templates: ['url', 'payload'],
    interpolation: (_step, field) =>
      field === 'url' ? { encode: (pointer) => encoderAt({}, `/url${pointer}`) } : undefined,
    check: (step) => [...checkTarget(step, egress), ...checkSecret(step)],

    settle(step, context) {
      const { payload, secret, waitForAnswer, dueInMs, retry } = step;
      const url = context.resolve(step['url']);
      if (typeof url !== 'string' || leadsElsewhere(url))
        throw new ExpressionError('The field url must be text, and its path may have no segment of dots only');
      const delivery: JsonObject = {
        url,
        payload: payload === undefined ? {} : context.resolve(payload),
        ...(typeof secret === 'string' ? { secret } : {}),
        ...(waitForAnswer === true ? { waitForAnswer } : {}),
        ...(retry?.attempts === undefined ? {} : { attempts: retry.attempts }),
      };
      return { kind: 'deliver', delivery, ...(typeof dueInMs === 'number' ? { dueInMs } : {}) };
    },
  };
}

function checkTarget({ url, payload }: Step, egress: Egress): Problem[] {
  const fields = { method: 'POST', url, ...(payload === undefined ? {} : { body: payload }) } as JsonObject;
  return findRequestProblems(fields, egress).map((problem) =>
    problem.pointer === '/body' ? { ...problem, pointer: '/payload' } : problem,
  );
}

function checkSecret({ secret }: Step): Problem[] {
  if (secret === undefined || SECRET_NAME.test(String(secret))) return [];
  return [{ pointer: '/secret', message: 'is no name that a secret can have', hint: SECRET_NAME_RULE }];
}
