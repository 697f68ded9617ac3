// A run of the pure core as a story: `given(flow('a > review > end', { review: ask() })).work('a').answer('review',
// 'approve')`. It keeps the clock, the ids and the fences, so that a test says only what matters; every decision goes
// through the ledger (core-ledger.ts), so that each story also checks the invariants.

import type { AttemptError, Command } from '../../src/core/commands.ts';
import type { Decision, DecisionContext } from '../../src/core/decision.ts';
import type { Definition } from '../../src/core/definition.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { mergeDecisions } from '../../src/core/merging.ts';
import type { Plan } from '../../src/core/plan.ts';
import type { Verdict } from '../../src/core/refusal.ts';
import type { OpenStep, RunState } from '../../src/core/run.ts';
import type { Answer } from '../../src/core/step-type.ts';
import { decide, decideStart, type NewRun } from '../../src/core/transition.ts';
import { planOf } from './core-flows.ts';
import { Ledger, type StoredStep } from './core-ledger.ts';

export const START = Date.UTC(2026, 0, 1);
const WORKSPACE = 'workspace';

/** Starts a run of the definition. */
export function given(definition: Definition, input: JsonObject = {}): TestRun {
  return new TestRun(definition, planOf(definition), input);
}

/** How its first decision is made. */
export type Start = (plan: Plan, run: NewRun, context: DecisionContext) => Decision;

export class TestRun {
  readonly plan: Plan;
  readonly ledger: Ledger;
  readonly input: JsonObject;
  state: RunState;
  decision: Decision;
  now = START;
  #ids = 0;

  constructor(definition: Definition, plan: Plan, input: JsonObject = {}, start: Start = decideStart) {
    this.plan = plan;
    this.input = input;
    this.ledger = new Ledger(definition);
    const run = { id: 'run', workspaceId: WORKSPACE, definitionId: 'definition', version: 1, input, context: {} };
    this.decision = start(plan, run, this.context());
    this.state = this.decision.state;
    this.ledger.take(null, this.decision);
  }

  context(userId = 'system'): DecisionContext {
    const first = this.#ids;
    let used = first;
    const newId = () => {
      this.#ids = ++used;
      return `id-${used}`;
    };
    return {
      now: this.now,
      actor: { workspaceId: WORKSPACE, userId },
      commandId: `command-${this.ledger.events.length}`,
      newId,
    };
  }

  /** Asks a command; takes what it decides when it is accepted. */
  ask(command: Command, userId?: string): Verdict {
    const verdict = decide(this.plan, this.state, command, this.context(userId));
    if (verdict.kind === 'accepted') this.take(verdict.decision, command);
    return verdict;
  }

  take(decision: Decision, command: Command | null = null): void {
    this.ledger.take(this.state, decision, command);
    this.decision = decision;
    this.state = decision.state;
  }

  /** Asks a command that must be accepted. */
  when(command: Command, userId?: string): this {
    const verdict = this.ask(command, userId);
    if (verdict.kind !== 'accepted') throw new Error(`${command.type} was not accepted: ${JSON.stringify(verdict)}`);
    return this;
  }

  /** Asks commands one after the other, as those that wait in one process are, and takes them as one decision. */
  together(commands: readonly Command[]): this {
    let merged: Decision | null = null;
    let { state } = this;
    for (const command of commands) {
      const verdict = decide(this.plan, state, command, this.context());
      if (verdict.kind !== 'accepted') throw new Error(`${command.type} was not accepted: ${JSON.stringify(verdict)}`);
      merged = merged ? mergeDecisions(merged, verdict.decision) : verdict.decision;
      state = verdict.decision.state;
    }
    if (merged) this.take(merged);
    return this;
  }

  claim(step: string, input: JsonObject | null = null): this {
    return this.when({ type: 'claim', ...this.ref(step), input });
  }

  /** Claims the step if nobody has, and completes it. */
  work(step: string, output: Json = {}): this {
    if (this.find(step).status === 'queued') this.claim(step);
    return this.when({ type: 'complete', ...this.ref(step), fence: this.find(step).fence, output });
  }

  /** Claims the step if nobody has, and fails its attempt: for good, unless `error` says otherwise. */
  fail(step: string, error: Partial<AttemptError> = {}): this {
    if (this.find(step).status === 'queued') this.claim(step);
    const { fence } = this.find(step);
    const failure = { code: 'broken', message: 'It broke', retryable: false, definite: false, ...error };
    return this.when({ type: 'fail-attempt', ...this.ref(step), fence, error: failure, random: 0.5 });
  }

  /** Its worker is lost, or gives the claim back. */
  lose(step: string, released = false): this {
    return this.when({ type: 'expire-lease', ...this.ref(step), fence: this.find(step).fence, released });
  }

  /** Answers the step's pause: an action's id, or fields. */
  answer(step: string, answer: string | JsonObject, userId = 'ann'): this {
    return this.when({ type: 'answer', answer: toAnswer(answer), step }, userId);
  }

  pass(ms: number): this {
    this.now += ms;
    return this;
  }

  /** Lets time pass until the step is due, and wakes it. */
  wake(step: string): this {
    this.now = Math.max(this.now, this.find(step).dueAt ?? 0);
    return this.when({ type: 'wake', ...this.ref(step) });
  }

  settle(step: string): this {
    return this.when({ type: 'settle', ...this.ref(step) });
  }

  /** The open step run of this step; where several visits are open, the latest. */
  find(step: string): OpenStep {
    const open = this.state.open.findLast((one) => one.step === step);
    if (!open) throw new Error(`${step} is not open; open: ${this.open.join(', ')}`);
    return open;
  }

  ref(step: string): { step: string; visit: number } {
    return { step, visit: this.find(step).visit };
  }

  row(step: string, visit = 1): StoredStep {
    return this.ledger.steps.get(`${step}.${visit}`)!;
  }

  get status(): string {
    return this.state.status;
  }

  /** The marking in words, in its order: `a queued`, `a#2 running`. */
  get open(): string[] {
    return this.state.open.map((one) => describe(one.step, one.visit, one.status));
  }

  /** Every step run there ever was, in words. */
  get all(): string[] {
    return [...this.ledger.steps.values()].map((row) => describe(row.step, row.visit, row.status));
  }

  get eventTypes(): string[] {
    return this.ledger.events.map((event) => (event.step === null ? event.type : `${event.type} ${event.step}`));
  }
}

export function toAnswer(answer: string | JsonObject): Answer {
  return typeof answer === 'string'
    ? { type: 'request_user_action', actionId: answer }
    : { type: 'collect_inputs', data: answer };
}

function describe(step: string, visit: number, status: string): string {
  return `${step}${visit === 1 ? '' : `#${visit}`} ${status}`;
}
