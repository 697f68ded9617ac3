// How often the steps of a run were entered, and how many of these visits rollbacks have undone. Visits are numbered for ever,
// so that no two step runs and no two effect keys are the same; what is undone counts for no limit. They are stored as one
// object, with what else few runs have.

import type { RunState, StepRef } from './run.ts';

type Counted = Pick<RunState, 'visits' | 'undone'>;

type Stored = Counted & Pick<RunState, 'deadlineAt' | 'retries'>;

/** By step; no step can have an id with a `$`. */
export type StoredVisits = Record<string, number> & {
  $undone?: Record<string, number>;
  $deadlineAt?: number;
  $retries?: number;
};

/** The step's count; a step may be called like a property of every object. */
export function countOf(counts: Readonly<Record<string, number>>, step: string): number {
  return Object.hasOwn(counts, step) ? counts[step]! : 0;
}

/** Visits of the step that count. */
export function countVisits({ visits, undone }: Counted, step: string): number {
  return countOf(visits, step) - countOf(undone, step);
}

/** Which time it is that the step was entered, as if nothing had been undone. */
export function placeOfVisit({ undone }: Counted, { step, visit }: StepRef): number {
  return visit - countOf(undone, step);
}

export function packVisits({ visits, undone, deadlineAt, retries }: Stored): Record<string, unknown> {
  const hasUndone = Object.keys(undone).length > 0;
  if (deadlineAt === null && retries === 0 && !hasUndone) return visits;
  return {
    ...visits,
    ...(hasUndone ? { $undone: undone } : {}),
    ...(deadlineAt === null ? {} : { $deadlineAt: deadlineAt }),
    ...(retries === 0 ? {} : { $retries: retries }),
  };
}

export function unpackVisits({ $undone = {}, $deadlineAt, $retries = 0, ...visits }: StoredVisits): Stored {
  return { visits, undone: $undone, deadlineAt: $deadlineAt ?? null, retries: $retries };
}
