// A step that asks a person to choose one of its actions, as an approval does. An action has an outcome, which decides the
// edges that are followed, and may ask for fields of its own.

import { findDeciding, findNamedAction } from '../core/approvals.ts';
import { STEP_ID, type Step } from '../core/definition.ts';
import type { Problem } from '../core/errors.ts';
import { findJsonProblems, isJsonObject, type Json } from '../core/json.ts';
import { compileFieldMap } from '../core/schema.ts';
import { findFieldMapProblems } from '../core/schema-rules.ts';
import type { Action, Answer, AnswerVerdict, StepType } from '../core/step-type.ts';
import { validateFields } from './collect-inputs.ts';
import { PAUSE_PROPERTIES, PAUSE_TEMPLATES, resolvePauseFields } from './pause-fields.ts';

const PRESETS: Json = [
  { id: 'approve', label: 'Approve' },
  { id: 'reject', label: 'Reject' },
];
const DEFAULT_OUTCOMES: Readonly<Record<string, 'approved' | 'rejected'>> = {
  approve: 'approved',
  approved: 'approved',
  reject: 'rejected',
  rejected: 'rejected',
};
const MAX_COMMENT_CHARS = 10_000;

export const requestUserAction: StepType = {
  type: 'request-user-action',
  aliases: ['approval', 'approval-gate'],
  mergesOutput: false,

  fieldsOf(step, output) {
    if (!isJsonObject(output) || !isJsonObject(output['data'])) return null;
    const asksFields = actionsOf(step).some(({ id, fields }) => id === output['actionId'] && fields !== undefined);
    return asksFields ? output['data'] : null;
  },

  properties: {
    ...PAUSE_PROPERTIES,
    actionId: { type: 'string', minLength: 1, maxLength: 200 },
    onTimeout: { type: 'string', minLength: 1 },
    actions: {
      type: 'array',
      minItems: 1,
      maxItems: 50,
      items: {
        type: 'object',
        required: ['id'],
        additionalProperties: false,
        patternProperties: { '^x-': true },
        properties: {
          id: { type: 'string', minLength: 1, maxLength: 64 },
          label: { type: 'string', minLength: 1, maxLength: 200 },
          value: { type: 'string', minLength: 1, maxLength: 200 },
          outcome: { enum: ['approved', 'rejected'] },
          fields: { type: 'object' },
        },
      },
    },
  },
  templates: PAUSE_TEMPLATES,

  normalise: (step) => ({ ...step, type: 'request-user-action', actions: step['actions'] ?? PRESETS }),

  edgeNames: (step) => [
    ...new Set(actionsOf(step).flatMap((action) => (action.outcome ? [action.id, action.outcome] : [action.id]))),
  ],

  check: (step) => [...checkActions(actionsOf(step)), ...checkOnTimeout(step)],

  settle(step, context) {
    return {
      kind: 'pause',
      pause: { type: 'request_user_action', actions: actionsOf(step), ...resolvePauseFields(step, context) },
    };
  },

  answer(step, answer, { actor, now }): AnswerVerdict {
    const action = chooseAction(step, answer);
    if (!('id' in action)) return { ok: false, problems: [action] };
    const { comment } = answer;
    if (comment !== undefined && (comment.length > MAX_COMMENT_CHARS || findJsonProblems(comment).length > 0)) {
      return {
        ok: false,
        problems: [
          { pointer: '/comment', message: `must be well-formed text of at most ${MAX_COMMENT_CHARS} characters` },
        ],
      };
    }
    const fields = validateFields(action.fields ?? {}, answer.data);
    if (!fields.ok) return fields;
    const output = {
      actionId: action.id,
      actionValue: readValue(action, step, answer),
      outcome: action.outcome ?? null,
      comment: comment ?? null,
      data: fields.value,
      decidedBy: actor.userId,
      decidedAt: new Date(now).toISOString(),
    };
    const outcome = {
      kind: 'complete' as const,
      output,
      on: [action.id],
      ...(action.outcome ? { outcome: action.outcome } : {}),
    };
    return { ok: true, outcome };
  },

  expire(step) {
    const action = findTimeoutAction(step);
    return action ? { answer: { type: 'request_user_action', actionId: action.id } } : null;
  },
};

/** The actions on offer, with the label and outcome that an action has when it names none. */
export function actionsOf(step: Step): Action[] {
  const actions = Array.isArray(step['actions']) ? step['actions'] : [];
  return actions.filter(isJsonObject).map((action) => {
    const id = String(action['id']);
    const outcome = action['outcome'] ?? (Object.hasOwn(DEFAULT_OUTCOMES, id) ? DEFAULT_OUTCOMES[id] : undefined);
    return {
      ...action,
      id,
      label: String(action['label'] ?? id),
      ...(outcome === undefined ? {} : { outcome }),
    } as Action;
  });
}

/** `actionId` is an offered action, or names the step while `actionValue` chooses; without it, `outcome` does. */
function chooseAction(step: Step, { type, actionId, actionValue, outcome }: Answer): Action | Problem {
  const actions = actionsOf(step);
  const hint = `offered: ${actions.map((action) => action.id).join(', ')}`;
  if (type !== 'request_user_action') return { pointer: '/type', message: 'must be request_user_action', hint };
  if (actionId === undefined && outcome !== undefined) {
    const none = { pointer: '/outcome', message: `no action on offer counts as ${outcome}`, hint };
    return findDeciding({ actions }, outcome) ?? none;
  }
  if (actionId === undefined) return { pointer: '/actionId', message: 'is required', hint };
  const named = actionValue === undefined ? null : findNamedAction(actions, actionValue);
  const offered = actions.find((action) => action.id === actionId);
  if (offered) {
    if (actionValue === undefined || named === null || named === offered || actionValue === offered.outcome)
      return offered;
    return {
      pointer: '/actionValue',
      message: `names the action "${named.id}", but actionId names "${offered.id}"`,
      hint,
    };
  }
  if (actionId !== step.id && actionId !== step['actionId'])
    return { pointer: '/actionId', message: 'is no offered action', hint };
  if (actionValue === undefined)
    return { pointer: '/actionValue', message: 'is required when actionId names the step', hint };
  return named ?? { pointer: '/actionValue', message: 'is no offered action', hint };
}

/** What the action declares; else what was sent, unless that only named the action; else its outcome or id. */
function readValue(action: Action, step: Step, { actionValue }: Answer): string {
  const isFree = actionValue !== undefined && findNamedAction(actionsOf(step), actionValue) === null;
  return action.value ?? (isFree ? actionValue : (action.outcome ?? action.id));
}

function findTimeoutAction(step: Step): Action | null {
  const { onTimeout } = step;
  if (typeof onTimeout !== 'string' || onTimeout === 'fail') return null;
  const actions = actionsOf(step);
  return (
    findNamedAction(actions, onTimeout) ??
    actions.find((action) => action.outcome === DEFAULT_OUTCOMES[onTimeout] && action.outcome !== undefined) ??
    null
  );
}

function checkActions(actions: readonly Action[]): Problem[] {
  const problems: Problem[] = [];
  const names = new Map<string, number>();
  for (const [index, action] of actions.entries()) {
    const pointer = `/actions/${index}`;
    if (!STEP_ID.test(action.id))
      problems.push({ pointer: `${pointer}/id`, message: 'must be 1 to 64 letters, digits, "_" or "-"' });
    if (action.id === 'error' || action.id === 'timeout') {
      problems.push({
        pointer: `${pointer}/id`,
        message: `cannot be "${action.id}": edges use that name for how a step failed`,
        hint: 'choose another id',
      });
    }
    for (const name of new Set([action.id, action.value ?? action.id])) {
      const other = names.get(name);
      if (other !== undefined)
        problems.push({
          pointer,
          message: `has "${name}" as id or value, which action ${other} has too`,
          hint: 'give each action its own',
        });
      names.set(name, index);
    }
    if (action.fields) problems.push(...findFieldMapProblems(action.fields, `${pointer}/fields`));
  }
  return problems;
}

function checkOnTimeout(step: Step): Problem[] {
  const { onTimeout } = step;
  if (onTimeout === undefined || onTimeout === 'fail') return [];
  const action = findTimeoutAction(step);
  const names = actionsOf(step).map(({ id }) => id);
  if (!action)
    return [
      { pointer: '/onTimeout', message: 'is no action of this step', hint: `write fail or one of ${names.join(', ')}` },
    ];
  const asks =
    action.fields &&
    findFieldMapProblems(action.fields).length === 0 &&
    compileFieldMap(action.fields).requiredFields.length > 0;
  return asks
    ? [
        {
          pointer: '/onTimeout',
          message: `chooses "${action.id}", whose fields nobody fills in then`,
          hint: 'give the fields defaults, or choose another action',
        },
      ]
    : [];
}
