// The rules of sending something outside: what an answer means for its delivery, and when it is tried again. Nothing is
// sent, stored or drawn here.

/** How one try ended, as whoever sent it saw it. */
export interface Try {
  /** Of the response; null when there was none. */
  status: number | null;
  /** The target may never be called, so trying again is of no use. */
  isRefused: boolean;
  /** What the receiver asked for with `Retry-After`, in ms. */
  retryAfterMs: number | null;
}

export type DeliveryVerdict =
  | { kind: 'delivered' }
  | { kind: 'retry'; delayMs: number }
  /** It was the last try, or no other would help. `isGone`: the receiver wants nothing any more (410). */
  | { kind: 'dead'; isGone: boolean };

export interface DeliveryPolicy {
  /** Delays between tries in ms; there is one try more than there are delays. */
  delaysMs: readonly number[];
  /** Fewer tries than that, where whoever asked for the delivery says so. */
  maxTries?: number;
}

const JITTER = 0.2;

/** `attempt` is the number of the try, from 1; `random` is drawn once, 0–1. */
export function judgeTry(
  { status, isRefused, retryAfterMs }: Try,
  attempt: number,
  { delaysMs, maxTries }: DeliveryPolicy,
  random: number,
): DeliveryVerdict {
  if (status !== null && status >= 200 && status < 300) return { kind: 'delivered' };
  const isGone = status === 410;
  const delay = delaysMs[attempt - 1];
  if (isGone || isRefused || delay === undefined || attempt >= (maxTries ?? Number.POSITIVE_INFINITY))
    return { kind: 'dead', isGone };
  const drawn = Math.round(delay * (1 + JITTER * (2 * random - 1)));
  return { kind: 'retry', delayMs: Math.max(drawn, retryAfterMs ?? 0) };
}
