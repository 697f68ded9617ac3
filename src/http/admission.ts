// Who gets in, and how often: every protected path asks here first. Counts requests by credential and wrong credentials by
// address, and tells callers where they stand in `x-ratelimit-*`; what a credential is worth is auth.ts.

import { isIPv4, isIPv6 } from 'node:net';
import type { Context } from 'koa';
import { AppError } from '../core/errors.ts';
import type { RateLimits, RateVerdict } from '../core/rate-limit.ts';
import type { Actor, Via } from '../core/run.ts';
import { type Authenticate, type Caller, ForeignTenantError } from './auth.ts';
import { hasCredential } from './credentials.ts';

export interface AdmitOptions {
  allowBasic?: boolean;
  /** The route starts runs, which has a limit of its own. */
  isStart?: boolean;
  /** The run that a ticket in the query may open, in the place of a credential. */
  ticketFor?: string | undefined;
}

export type Admit = (context: Context, options?: AdmitOptions) => Promise<Caller>;

export const NO_LIMITS: RateLimits = { requests: null, starts: null, failures: null };

/** Told of a credential that was used for another workspace than its own; never fails. */
export type NoteForeignTenant = (attempt: { actor: Actor; tenant: string }) => Promise<void>;

/** Whom a ticket lets in to a run, which takes it; null when it is none, or none any more. */
export type RedeemTicket = (presented: { ticket: string; runId: string }) => Promise<Omit<Caller, 'role'> | null>;

export interface AdmissionOptions {
  authenticate: Authenticate;
  /** Without it there are no tickets. */
  redeemTicket?: RedeemTicket | undefined;
  limits: RateLimits;
  noteForeignTenant?: NoteForeignTenant | undefined;
}

/** Makes the gate; it throws what authentication throws, and `rate_limit_exceeded`. */
export function createAdmission(options: AdmissionOptions): Admit {
  const { authenticate, limits, noteForeignTenant } = options;
  return async (context, { allowBasic = false, isStart = false, ticketFor } = {}) => {
    const via = describeVia(context);
    const ticket = ticketFor === undefined ? undefined : context.query['ticket'];
    const entering =
      ticket === undefined || ticketFor === undefined
        ? authenticate(context.headers, { allowBasic })
        : enterByTicket(context, { ticket: String(ticket), runId: ticketFor }, options);
    const known = await entering.catch(async (error: unknown) => {
      if (isRefused(error) && (ticket !== undefined || hasCredential(context.headers)))
        await countFailure(context, limits);
      if (error instanceof ForeignTenantError)
        await noteForeignTenant?.({ actor: { ...error.caller, via }, tenant: error.tenant });
      throw error;
    });
    const caller: Caller = { ...known, via };
    context.state['actor'] = caller;
    // One credential is one key; the bearers of tokens that one key signs are counted each for themselves.
    const who = `${caller.keyId}:${caller.userId}`;
    const verdicts = await Promise.all([limits.requests?.take(who), isStart ? limits.starts?.take(who) : undefined]);
    for (const verdict of verdicts) if (verdict !== undefined) tell(context, verdict);
    return caller;
  };
}

/** One who reads and does nothing else. */
async function enterByTicket(
  { headers }: Context,
  presented: { ticket: string; runId: string },
  { redeemTicket }: AdmissionOptions,
): Promise<Caller> {
  if (hasCredential(headers))
    throw new AppError('invalid_request', 'a ticket is sent without another credential; leave one of them out');
  const holder = await redeemTicket?.(presented);
  if (holder) return { ...holder, role: 'viewer' };
  throw new AppError(
    'unauthenticated',
    'the ticket does not open this stream, or does not any more; ask for a new one',
  );
}

/** For public routes that check a credential of their own: it counts like any other. */
export interface Gate {
  /** Asks who it is; throws what `identify` throws, and `rate_limit_exceeded` where the address was wrong too often. */
  admit<Who>(identify: () => Promise<Who>): Promise<Who>;
  /** Throws `rate_limit_exceeded` where whoever it is has started too many runs. */
  countStart(who: string): Promise<void>;
}

export type OpenGate = (context: Context) => Gate;

export function createGate(limits: RateLimits): OpenGate {
  return (context) => ({
    admit: (identify) =>
      identify().catch(async (error: unknown) => {
        // Who asks for what is not there may be looking for what is.
        if (error instanceof AppError && ['unauthenticated', 'not_found'].includes(error.code))
          await countFailure(context, limits);
        throw error;
      }),
    async countStart(who) {
      const verdict = await limits.starts?.take(who);
      if (verdict !== undefined) tell(context, verdict);
    },
  });
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

/** A foreign tenant counts as a wrong credential, which also bounds how many attempts are written down. */
function isRefused(error: unknown): boolean {
  return error instanceof ForeignTenantError || (error instanceof AppError && error.code === 'unauthenticated');
}

const MAX_VIA_CHARS = 300;

/** The address is the client's own where the proxies in front are trusted, and may then be any text. */
function describeVia(context: Context): Via {
  return {
    address: withoutMapping(context.ip).slice(0, MAX_VIA_CHARS),
    userAgent: context.get('user-agent').slice(0, MAX_VIA_CHARS),
    requestId: context.state['requestId'],
  };
}

/** An IPv4 address, or the /64 that an IPv6 address is one of: whoever has one of these has them all. */
export function networkOf(address: string): string {
  const v4 = withoutMapping(address);
  if (isIPv4(v4)) return v4;
  if (!isIPv6(address)) return 'unknown';
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const [first, last] = [groupsOf(head), groupsOf(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  return [...first, ...Array<string>(Math.max(0, zeros)).fill('0'), ...last].slice(0, 4).join(':');
}

/** An IPv4 address that a socket for both kinds shows as one of IPv6. */
function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

function groupsOf(text: string): string[] {
  return text.split(':').flatMap((group) => {
    if (group === '') return [];
    return group.includes('.') ? ['v4', 'v4'] : [Number.parseInt(group, 16).toString(16)];
  });
}
