// The runs that this process has lately committed or loaded, bounded by about how much memory they take. Two generations in
// the place of an exact order of use: a run that is asked for joins the young one, and when that is full the old one is
// dropped whole. It is asked several times for every step, where keeping an exact order costs five times as much.

import type { RunState } from '../core/run.ts';

/** A run as this process last committed or loaded it, and the steps whose outputs it holds. */
export interface RememberedRun {
  state: RunState;
  outputsKnown: ReadonlySet<string> | 'all';
}

interface Entry {
  run: RememberedRun;
  bytes: number;
}

export class RememberedRuns {
  #young = new Map<string, Entry>();
  #old = new Map<string, Entry>();
  #youngBytes = 0;
  readonly #generationBytes: number;

  /** `bytes`: about how much both generations may hold. */
  constructor(bytes: number) {
    this.#generationBytes = bytes / 2;
  }

  /** To be asked for is to be in use. */
  get(runId: string): RememberedRun | undefined {
    const young = this.#young.get(runId);
    if (young) return young.run;
    const old = this.#old.get(runId);
    if (old) this.#keep(runId, old);
    return old?.run;
  }

  /** Without counting as use. */
  has(runId: string): boolean {
    return this.#young.has(runId) || this.#old.has(runId);
  }

  set(runId: string, run: RememberedRun): void {
    this.#keep(runId, { run, bytes: estimateBytes(run) });
  }

  delete(runId: string): void {
    this.#youngBytes -= this.#young.get(runId)?.bytes ?? 0;
    this.#young.delete(runId);
    this.#old.delete(runId);
  }

  #keep(runId: string, entry: Entry): void {
    this.#youngBytes += entry.bytes - (this.#young.get(runId)?.bytes ?? 0);
    this.#young.set(runId, entry);
    this.#old.delete(runId);
    if (this.#youngBytes <= this.#generationBytes) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }
}

function estimateBytes({ state }: RememberedRun): number {
  const values = isEmpty(state.data) && isEmpty(state.outputs) ? 0 : JSON.stringify([state.data, state.outputs]).length;
  return 3_000 + 300 * state.open.length + 2 * values;
}

function isEmpty(value: object): boolean {
  for (const _key in value) return false;
  return true;
}
