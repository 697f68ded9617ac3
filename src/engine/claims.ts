// The claims this process holds: it renews their leases with one statement per heartbeat, and asks once a second, in one
// statement, which of them were taken away. A handler whose claim is gone, or whose lease may have run out because
// Postgres cannot be reached, has its signal aborted, as has one whose run is being cancelled; what it returns is still
// judged by its fence alone.

import { keyOf, type StepRef } from '../core/run.ts';
import { type Claim, type ClaimFate, findEndangeredClaims, renewLeases } from '../store/step-runs.ts';
import { changeRun, systemActor } from './change-run.ts';
import type { Engine } from './engine.ts';

export interface HeldClaim extends Claim {
  /** `lost`: somebody else has the step, or nobody may; `stale`: this process cannot tell; `cancelled`: its run should stop. */
  abort(reason: ClaimFate | 'stale'): void;
}

const CHECK_MS = 1_000;

export class Claims {
  readonly #engine: Engine;
  readonly #heartbeatMs: number;
  readonly #held = new Map<string, HeldClaim>();
  /** How many claims are held of each run: a hint is mostly about a run of somebody else's. */
  readonly #runs = new Map<string, number>();
  /** Listens for hints while anything is held: a worker of pure steps never does. */
  #stopWatching: (() => void) | null = null;
  readonly #check: NodeJS.Timeout;
  #renewedAt = performance.now();
  #checking = false;
  #checkSoon = false;

  constructor(engine: Engine, heartbeatMs: number) {
    this.#engine = engine;
    this.#heartbeatMs = heartbeatMs;
    this.#check = setInterval(() => void this.#tick(), Math.min(CHECK_MS, heartbeatMs));
    this.#check.unref();
  }

  get size(): number {
    return this.#held.size;
  }

  hold(claim: HeldClaim): void {
    if (this.#held.size === 0) this.#renewedAt = performance.now();
    this.#stopWatching ??= this.#engine.wakeups.subscribe(({ runId }) => this.#hear(runId));
    this.#held.set(key(claim), claim);
    this.#runs.set(claim.runId, (this.#runs.get(claim.runId) ?? 0) + 1);
  }

  drop(claim: Claim): void {
    if (!this.#held.delete(key(claim))) return;
    const left = this.#runs.get(claim.runId)! - 1;
    if (left > 0) this.#runs.set(claim.runId, left);
    else this.#runs.delete(claim.runId);
    if (this.#held.size === 0) this.#deafen();
  }

  /** Gives every claim back, so that other workers take the steps at once; they count as not lost. */
  async release(): Promise<void> {
    const held = [...this.#held.values()];
    for (const claim of held) this.drop(claim);
    for (const claim of held) claim.abort('lost');
    const released = held.map(({ runId, step, visit, fence }) =>
      changeRun(
        this.#engine,
        runId,
        { type: 'expire-lease', step, visit, fence, released: true },
        { actor: systemActor() },
      ).catch(() => {}),
    );
    await Promise.all(released);
  }

  stop(): void {
    clearInterval(this.#check);
    this.#deafen();
  }

  #deafen(): void {
    this.#stopWatching?.();
    this.#stopWatching = null;
  }

  /** A run with a step of ours changed; most often by ourselves, so look a moment later, once for all. */
  #hear(runId: string): void {
    if (this.#checkSoon || !this.#runs.has(runId)) return;
    this.#checkSoon = true;
    setTimeout(() => {
      this.#checkSoon = false;
      void this.#findEndangered();
    }, 100).unref();
  }

  async #tick(): Promise<void> {
    if (this.#held.size === 0 || this.#checking) return;
    this.#checking = true;
    const silentMs = performance.now() - this.#renewedAt;
    if (silentMs > this.#engine.leaseMs * (5 / 7)) for (const claim of this.#held.values()) claim.abort('stale');
    try {
      if (silentMs >= this.#heartbeatMs * 0.9) {
        const sentAt = performance.now();
        await renewLeases(this.#engine.db.pool, [...this.#held.values()], this.#engine.leaseMs);
        this.#renewedAt = sentAt;
      }
      await this.#findEndangered();
    } catch (error) {
      this.#engine.log.warn({ error: String(error) }, 'leases could not be renewed; trying again');
    } finally {
      this.#checking = false;
    }
  }

  async #findEndangered(): Promise<void> {
    const asked = [...this.#held.values()];
    if (asked.length === 0) return;
    const endangered = await findEndangeredClaims(this.#engine.db.pool, asked).catch(() => []);
    for (const { claim, fate } of endangered) if (this.#held.get(key(claim)) === claim) claim.abort(fate);
  }
}

function key(claim: StepRef & { runId: string }): string {
  return `${claim.runId}.${keyOf(claim)}`;
}
