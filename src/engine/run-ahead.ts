// When a worker runs ahead of its commits. What is decided is on its way to Postgres, and stands there when the commit
// returns; a worker that only ever waited for that would be idle most of the time. So it goes on with what harms nobody when
// the commit comes to nothing: the job of a successor is offered, a pure step is run and decided on what the run will be,
// and the job of a decided step is over. Whoever else is told anything is told after the commit, and a step with an effect
// is not begun before. A process that dies here has lost jobs, which the sweep makes again, and nothing else.
//
// It pays where jobs come back to the process that offered them. A worker that gets early jobs of others is not alone: it
// goes by its commits for a while, since they would have to look for what only it knows.

/** Decided steps whose jobs are over before their commits, at most: four full batches. */
const MAX_UNCOMMITTED = 256;
/** After an early job of somebody else. */
const IN_COMPANY_MS = 10_000;

export class RunAhead {
  /** Set where this process takes jobs itself. */
  isOn = false;
  #uncommitted = 0;
  #inCompanyUntil = 0;

  /** Whether jobs are offered, and steps run, before the commit that leads to them has returned. */
  get isAllowed(): boolean {
    return this.isOn && (this.#inCompanyUntil === 0 || performance.now() > this.#inCompanyUntil);
  }

  /** Decided steps whose jobs are over and whose commits are on their way. */
  get uncommitted(): number {
    return this.#uncommitted;
  }

  /** Whether one more job may be over before its commit; answer true with `leave` once that has returned. */
  enter(): boolean {
    if (!this.isAllowed || this.#uncommitted >= MAX_UNCOMMITTED) return false;
    this.#uncommitted += 1;
    return true;
  }

  leave(): void {
    this.#uncommitted -= 1;
  }

  /** An early job has come whose run only another process can know. */
  noteCompany(): void {
    this.#inCompanyUntil = performance.now() + IN_COMPANY_MS;
  }
}
