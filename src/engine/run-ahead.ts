// When a worker runs ahead of its commits. What is decided is on its way to Postgres, and stands there when the commit
// returns; a worker that only ever waited for that would be idle most of the time. So it goes on with what harms nobody when
// the commit comes to nothing: the job of a successor is offered, a pure step is run and decided on what the run will be,
// and the job of a decided step is over. Whoever else is told anything is told after the commit, and a step with an effect
// is not begun before. A process that dies here has lost jobs, which the sweep makes again, and nothing else.
//
// It pays where jobs come back to the process that offered them. A worker that gets early jobs of others, or does not get its own, is not
// alone: it goes by its commits for a while, since others would have to look for what only it knows.

/** Decided steps whose jobs are over before their commits, at most: some full batches. */
const MAX_UNCOMMITTED = 1_024;
/** How long a process goes by its commits once it has seen that it is not alone. */
const IN_COMPANY_MS = 10_000;
/** Of one early job in the share of those that come back: some hundred may be on their way. */
const SHARE_WEIGHT = 1 / 1_024;
const ENOUGH_RETURN = 2 / 3;

/** The longest that a commit is put off. A step takes some milliseconds from job to job under load, less than one on an idle system. */
const MAX_POSTPONED_MS = 30;

/** A commit that is put off until its run rests; null once it is on its way. */
export interface Postponed {
  commit: (() => void) | null;
}

/** Lets it go, if it has not yet. */
export function release(postponed: Postponed | null | undefined): void {
  const commit = postponed?.commit;
  if (!commit) return;
  postponed.commit = null;
  commit();
}

export class RunAhead {
  /** Set where this process takes jobs itself. */
  isOn = false;
  #uncommitted = 0;
  #inCompanyUntil = 0;
  /** The share of early jobs that have come back, lately. */
  #returning = 1;
  /** In the order in which their time is up; those that have been released are passed over. */
  #postponed: { postponed: Postponed; until: number }[] = [];
  #timer: NodeJS.Timeout | null = null;

  /** Whether jobs are offered, and steps run, before the commit that leads to them has returned. */
  get isAllowed(): boolean {
    return this.isOn && (this.#inCompanyUntil === 0 || performance.now() > this.#inCompanyUntil);
  }

  /** Decided steps whose jobs are over and whose commits are on their way. */
  get uncommitted(): number {
    return this.#uncommitted;
  }

  /** Whether one more job may be over before its commit. After true, `leave` must be called, once, when that has returned. */
  enter(): boolean {
    if (!this.isAllowed) return false;
    if (this.#uncommitted >= MAX_UNCOMMITTED) {
      this.#releaseUntil(Number.POSITIVE_INFINITY);
      return false;
    }
    this.#uncommitted += 1;
    return true;
  }

  /** Puts a commit off until it is released, or its time is up. */
  postpone(commit: () => void): Postponed {
    const postponed: Postponed = { commit };
    this.#postponed.push({ postponed, until: performance.now() + MAX_POSTPONED_MS });
    this.#timer ??= setTimeout(() => this.#releaseDue(), MAX_POSTPONED_MS);
    return postponed;
  }

  leave(): void {
    this.#uncommitted -= 1;
  }

  /** Early jobs were offered. Where less than two thirds of them come back, over some hundreds, somebody else takes them. */
  noteOffered(count: number): void {
    this.#returning *= (1 - SHARE_WEIGHT) ** count;
    if (this.#returning < ENOUGH_RETURN) this.noteCompany();
  }

  /** An early job has come whose run this process knows. */
  noteReturned(): void {
    this.#returning = Math.min(1, this.#returning + SHARE_WEIGHT);
  }

  /** Somebody else offers early jobs that come here, or takes ours. */
  noteCompany(): void {
    this.#inCompanyUntil = performance.now() + IN_COMPANY_MS;
    this.#returning = 1;
  }

  #releaseDue(): void {
    this.#timer = null;
    const now = performance.now();
    this.#releaseUntil(now);
    const [first] = this.#postponed;
    if (first) this.#timer = setTimeout(() => this.#releaseDue(), Math.max(1, first.until - now));
  }

  #releaseUntil(time: number): void {
    const left = this.#postponed.findIndex(({ postponed, until }) => postponed.commit !== null && until > time);
    const due = this.#postponed.splice(0, left < 0 ? this.#postponed.length : left);
    for (const { postponed } of due) release(postponed);
  }
}
