// Who gets in, and how often: every protected path asks here first. Counts requests by credential and wrong credentials by
// address, and tells callers where they stand in `x-ratelimit-*`; what a credential is worth is auth.ts.

import { isIPv4, isIPv6 } from 'node:net';
import type { Context } from 'koa';
import { AppError } from '../core/errors.ts';
import type { RateLimits, RateVerdict } from '../core/rate-limit.ts';
import type { Authenticate, Caller } from './auth.ts';
import { hasCredential } from './credentials.ts';

export interface AdmitOptions {
  allowBasic?: boolean;
  /** The route starts runs, which has a limit of its own. */
  isStart?: boolean;
}

export type Admit = (context: Context, options?: AdmitOptions) => Promise<Caller>;

export const NO_LIMITS: RateLimits = { requests: null, starts: null, failures: null };

/** Makes the gate; it throws what authentication throws, and `rate_limit_exceeded`. */
export function createAdmission({ authenticate, limits }: { authenticate: Authenticate; limits: RateLimits }): Admit {
  return async (context, { allowBasic = false, isStart = false } = {}) => {
    const caller = await authenticate(context.headers, { allowBasic }).catch(async (error: unknown) => {
      if (isRefused(error) && hasCredential(context.headers)) await countFailure(context, limits);
      throw error;
    });
    context.state['actor'] = caller;
    // One credential is one key; the bearers of tokens that one key signs are counted each for themselves.
    const who = `${caller.keyId}:${caller.userId}`;
    const verdicts = await Promise.all([limits.requests?.take(who), isStart ? limits.starts?.take(who) : undefined]);
    for (const verdict of verdicts) if (verdict !== undefined) tell(context, verdict);
    return caller;
  };
}

/** Sets the headers, so that the last verdict told is the one that stands; throws when it is a refusal. */
function tell(context: Context, { isAllowed, limit, remaining, retryAfterMs }: RateVerdict): void {
  context.set({ 'x-ratelimit-limit': String(limit), 'x-ratelimit-remaining': String(remaining) });
  if (!isAllowed) throw refuseForNow(context, retryAfterMs, `more than ${limit} requests of this kind in a minute`);
}

/**
 * Only those who are wrong are told to wait: were the address shut out, one guesser would shut out everybody behind the
 * same proxy, and a key of 256 bits is not guessed.
 */
async function countFailure(context: Context, { failures }: RateLimits): Promise<void> {
  const verdict = await failures?.take(networkOf(context.ip));
  if (verdict !== undefined && !verdict.isAllowed)
    throw refuseForNow(context, verdict.retryAfterMs, 'too many wrong credentials from this address');
}

function refuseForNow(context: Context, retryAfterMs: number, reason: string): AppError {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  context.set('retry-after', String(seconds));
  return new AppError('rate_limit_exceeded', `${reason}; wait ${seconds} s`);
}

function isRefused(error: unknown): boolean {
  return error instanceof AppError && error.code === 'unauthenticated';
}

/** An IPv4 address, or the /64 that an IPv6 address is one of: whoever has one of these has them all. */
export function networkOf(address: string): string {
  const v4 = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIPv4(v4)) return v4;
  if (!isIPv6(address)) return 'unknown';
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const [first, last] = [groupsOf(head), groupsOf(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  return [...first, ...Array<string>(Math.max(0, zeros)).fill('0'), ...last].slice(0, 4).join(':');
}

function groupsOf(text: string): string[] {
  return text.split(':').flatMap((group) => {
    if (group === '') return [];
    return group.includes('.') ? ['v4', 'v4'] : [Number.parseInt(group, 16).toString(16)];
  });
}
