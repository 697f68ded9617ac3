// What is asked of a rate limit, whoever counts: may this one go on, and when again. Knows no clock and no store.

export interface RateVerdict {
  isAllowed: boolean;
  /** How many a minute. */
  limit: number;
  remaining: number;
  retryAfterMs: number;
}

export interface RateLimit {
  /** Counts one, and says whether it was within the limit; never fails because of the store behind it. */
  take(who: string): Promise<RateVerdict>;
}

/** The limits of one process; null is no limit. */
export interface RateLimits {
  /** Every request with a credential, by credential. */
  requests: RateLimit | null;
  /** Starts of runs, by credential; they count as requests too. */
  starts: RateLimit | null;
  /** Wrong credentials, by address. */
  failures: RateLimit | null;
}
