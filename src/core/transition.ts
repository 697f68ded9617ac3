// The rules of a run, as one pure function: `decide(plan, state, command, context)` answers what the run becomes and what
// there is to write, or why not. In call order: is the command legal for the run's status (core/commands.ts) and for the step run
// it names; what it does (core/attempts.ts, core/control.ts, core/waits.ts); which step runs go next (core/routing.ts, core/joins.ts); how
// the run stands now (core/settling.ts). Ids and time are arguments: same input, same decision.

import { actOnStep } from './attempts.ts';
import { deadlineFrom } from './clocks.ts';
import { ACCEPTS, type Command } from './commands.ts';
import { cancel, expireRun, hold, release, retry, terminate } from './control.ts';
import type { Decision, DecisionContext } from './decision.ts';
import { Draft } from './draft.ts';
import type { JsonObject } from './json.ts';
import type { Plan } from './plan.ts';
import { refuse, type Verdict } from './refusal.ts';
import { rollBack } from './rolling-back.ts';
import { enterStep } from './routing.ts';
import { FINISHED, type RunState } from './run.ts';
import { apply, applyUnlessRefused } from './settling.ts';
import { answerPause } from './waits.ts';

/** What a start needs beside its plan; the run's id is chosen by the caller. */
export type NewRun = Pick<RunState, 'id' | 'workspaceId' | 'definitionId' | 'version' | 'input' | 'context'>;

/** The first decision of a run: it is created, and its initial step goes. */
export function decideStart(plan: Plan, run: NewRun, context: DecisionContext): Decision {
  return beginRun(plan, run, context);
}

interface Beginning {
  /** What there is to say about the start. */
  detail?: JsonObject;
  /** Enters other steps than the initial one. */
  enter?(draft: Draft): void;
}

/** A run is created and goes as far as it can. */
export function beginRun(
  plan: Plan,
  run: NewRun,
  context: DecisionContext,
  { detail, enter = (draft) => enterStep(draft, plan.initial) }: Beginning = {},
): Decision {
  const state: RunState = {
    id: run.id,
    workspaceId: run.workspaceId,
    definitionId: run.definitionId,
    version: run.version,
    status: 'queued',
    seq: 0,
    open: [],
    visits: {},
    undone: {},
    retries: 0,
    stepRuns: 0,
    input: run.input,
    data: run.input,
    context: run.context,
    outputs: {},
    result: null,
    error: null,
    cancellation: null,
    interrupted: null,
    deadlineAt: deadlineFrom(plan, context),
    createdAt: context.now,
    startedAt: null,
  };
  const draft = new Draft(plan, state, context);
  draft.event('run.created', null, detail);
  apply(draft, () => enter(draft), false);
  return draft.decision();
}

/** What `command` does to the run; refusals and repeats change nothing. */
export function decide(plan: Plan, state: RunState, command: Command, context: DecisionContext): Verdict {
  const legality = ACCEPTS[command.type][state.status];
  if (legality === 'already') return { kind: 'already' };
  if (legality === 'refused')
    return refuse(
      FINISHED.has(state.status) ? 'run_finished' : 'conflict',
      `The run is ${state.status} and takes no "${command.type}"${command.type === 'rollback' ? '; hold it first' : ''}`,
    );
  const draft = new Draft(plan, state, context);
  const refusal = act(draft, command);
  return refusal ?? { kind: 'accepted', decision: draft.decision() };
}

function act(draft: Draft, command: Command): Verdict | null {
  switch (command.type) {
    case 'answer':
      return applyUnlessRefused(draft, answerPause(draft, command));
    case 'expire-run':
      return expireRun(draft);
    case 'hold':
      return hold(draft, command.reason);
    case 'release':
      return release(draft, command.reason);
    case 'retry':
      return retry(draft, command.reason);
    case 'rollback':
      return rollBack(draft, command);
    case 'cancel':
      return cancel(draft, command.reason);
    case 'terminate':
      return terminate(draft, command.reason);
    default:
      return actOnStep(draft, command);
  }
}
