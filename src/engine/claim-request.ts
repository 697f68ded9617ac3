// A request that its client has named is worked on once at a time and answered once (GUARANTEES M10), whichever process
// it reaches. Keeps the claims of this process alive while their work lasts; what a request or an answer says is for the
// edge to know.

import { createHash } from 'node:crypto';
import { AppError } from '../core/errors.ts';
import type { Logger } from '../log.ts';
import type { Database } from '../store/db.ts';
import { claimKey, deleteKey, releaseKey, renewClaims, storeAnswer } from '../store/idempotency.ts';
import type { Sealer } from '../store/sealing.ts';
import { withPatience } from './patience.ts';

/** A named request that is ours to work on. Exactly one of its verbs is to be called when the work is over. */
export interface ClaimedRequest {
  /** The same each time that this request is worked on. */
  id: string;
  /** Whoever asks again gets this answer. */
  keep(answer: string): Promise<void>;
  /** The work may or may not have been done: whoever asks the same again has it done again. */
  release(): Promise<void>;
  /** The work was refused and left nothing: the key is free for any request. */
  forget(): Promise<void>;
}

/** A request that its client has named. */
export interface NamedWork {
  workspaceId: string;
  key: string;
  /** Everything that makes it this request and no other. Never stored; without `keepsSecrets` it may hold none. */
  content: string;
}

export interface Requests {
  /** Whether what is stored of a request's content tells nothing about it: there is a key to seal with. */
  readonly keepsSecrets: boolean;
  /**
   * Answers the claim, or the text of the first answer. Throws `idempotency_pending` while the same request is being
   * worked on, `idempotency_mismatch` when its key was used for another one, `unavailable`.
   */
  claim(request: NamedWork): Promise<ClaimedRequest | { answer: string }>;
}

const PATIENCE_MS = 2_500;
/** Ten tries within a lease; nothing is asked while no request with a key takes this long. */
const RENEW_MS = 1_000;

export interface RequestsOptions {
  db: Database;
  log: Logger;
  sealer: Sealer | null;
}

export function createRequests({ db, log, sealer }: RequestsOptions): Requests {
  const alive = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  function watch(claim: string): void {
    alive.add(claim);
    timer ??= setInterval(() => {
      renewClaims(db, [...alive]).catch((error: unknown) =>
        log.debug({ err: error }, 'idempotency claims not renewed'),
      );
    }, RENEW_MS).unref();
  }

  function unwatch(claim: string): void {
    alive.delete(claim);
    if (alive.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  function own({ workspaceId, key }: NamedWork, { id, claim }: { id: string; claim: string }): ClaimedRequest {
    const owned = { workspaceId, key, claim };
    const end = async (write: Promise<void>): Promise<void> => {
      unwatch(claim);
      // The work is done either way: its answer is not held back because a repetition of it could not be provided for.
      await withPatience(write, PATIENCE_MS).catch((error: unknown) =>
        log.warn({ err: error, workspaceId }, 'the end of an idempotent request was not stored; its lease will lapse'),
      );
    };
    watch(claim);
    return {
      id,
      keep: (answer) => end(storeAnswer(db, owned, answer)),
      release: () => end(releaseKey(db, owned)),
      forget: () => end(deleteKey(db, owned)),
    };
  }

  return {
    keepsSecrets: sealer !== null,
    async claim(request) {
      const { workspaceId, key, content } = request;
      const digests = sealer?.fingerprints(content) ?? [createHash('sha256').update(content).digest()];
      const found = await withPatience(claimKey(db, { workspaceId, key, digests }), PATIENCE_MS);
      switch (found.kind) {
        case 'claimed':
          return own(request, found);
        case 'answered':
          return { answer: found.answer };
        case 'running':
          throw new AppError('idempotency_pending', 'a request with this Idempotency-Key is still running; ask again');
        case 'mismatch':
          throw new AppError(
            'idempotency_mismatch',
            'this Idempotency-Key was used for another request; use a new one',
          );
      }
    },
  };
}
