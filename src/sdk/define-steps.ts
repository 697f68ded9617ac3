// The steps of a workflow as types, one per kind, as the API takes them (README, "Definitions"). Types only: whether a
// definition is right in every other way is for the server to say.

/** Any JSON value; texts may hold `${…}`. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export interface JsonObject {
  readonly [key: string]: Json;
}
/** Fields by name, each with its JSON Schema; a field is required unless it has a default or says `required: false`. */
export type Fields = JsonObject;
/** A value that may also be an expression, `${…}`. */
export type OrExpression<Value> = Value | string;

export interface Retry {
  readonly attempts?: number;
  readonly delayMs?: number;
  readonly factor?: number;
  readonly maxDelayMs?: number;
  readonly jitter?: number;
  readonly budgetMs?: number;
  readonly nonRetryable?: readonly string[];
}

/** What every step may say. Keys of your own begin with `x-`. */
export interface StepBase {
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  /** Puts the output under this key of `data`. */
  readonly outputKey?: string;
  readonly retry?: Retry;
  readonly timeoutMs?: number;
  readonly queueTimeoutMs?: number;
  readonly deadlineMs?: number;
  readonly join?: 'all' | 'any';
  readonly route?: 'all' | 'first';
  readonly maxVisits?: number;
  readonly [extension: `x-${string}`]: Json;
}

interface Pause extends StepBase {
  readonly message?: string;
  readonly assignees?: OrExpression<readonly string[]>;
  readonly dueInMs?: OrExpression<number>;
}

export interface CollectInputsStep extends Pause {
  readonly type: 'collect-inputs';
  readonly output: Fields;
  readonly onTimeout?: 'fail';
}

export interface AskHumanStep extends Pause {
  readonly type: 'ask-human';
  readonly question: string;
  readonly options?: readonly string[];
  readonly output?: Fields;
  readonly onTimeout?: 'fail';
}

export interface Action {
  readonly id: string;
  readonly label?: string;
  readonly value?: string;
  readonly outcome?: 'approved' | 'rejected';
  readonly fields?: Fields;
}

/** Without `actions` they are `approve` and `reject`. */
export interface ApprovalStep extends Pause {
  readonly type: 'request-user-action' | 'approval' | 'approval-gate';
  readonly actions?: readonly Action[];
  readonly actionId?: string;
  readonly onTimeout?: string;
}

export interface CallApiStep extends StepBase {
  readonly type: 'call-api' | 'http';
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';
  readonly query?: JsonObject;
  readonly headers?: JsonObject;
  readonly body?: Json;
  readonly successStatus?: number | readonly number[];
  readonly secrets?: readonly string[];
}

interface CallTool extends StepBase {
  readonly type: 'call-tool' | 'task';
  readonly args?: OrExpression<JsonObject>;
}
export type CallToolStep = CallTool &
  ({ readonly tool: string; readonly toolId?: never } | { readonly toolId: string; readonly tool?: never });

export interface CallbackStep extends StepBase {
  readonly type: 'callback';
  readonly url: string;
  readonly payload?: Json;
  readonly secret?: string;
  readonly waitForAnswer?: boolean;
  readonly dueInMs?: number;
}

interface Wait extends StepBase {
  readonly type: 'wait';
}
export type WaitStep = Wait &
  (
    | { readonly durationMs: OrExpression<number>; readonly duration?: never; readonly until?: never }
    | { readonly duration: string; readonly durationMs?: never; readonly until?: never }
    | { readonly until: string; readonly durationMs?: never; readonly duration?: never }
  );

/** Its edges are `on: 'true'` and `on: 'false'`. */
export interface ConditionStep extends StepBase {
  readonly type: 'condition';
  readonly condition: string;
}

export interface TransformStep extends StepBase {
  readonly type: 'transform';
  readonly output: OrExpression<JsonObject>;
}

export interface EndFlowStep extends StepBase {
  readonly type: 'end-flow';
  readonly result?: Json;
  readonly status?: 'completed' | 'failed';
  readonly error?: string;
}

export type Step =
  | CollectInputsStep
  | AskHumanStep
  | ApprovalStep
  | CallApiStep
  | CallToolStep
  | CallbackStep
  | WaitStep
  | ConditionStep
  | TransformStep
  | EndFlowStep;
