// Counting requests: in Redis, so that all processes count together, and in this process' memory while Redis is away or
// none is configured. A request never waits for Redis longer than it would for Postgres.

import { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { RateLimit, RateLimits, RateVerdict } from '../core/rate-limit.ts';
import type { Logger } from '../log.ts';

export interface RateLimitSettings {
  redisUrl: string | null;
  queuePrefix: string;
  /** How many a minute; 0 is no limit. */
  rateLimit: number;
  rateLimitStarts: number;
  rateLimitFailures: number;
}

const WINDOW_S = 60;
/** A frozen Redis costs a request so much before this process counts by itself. */
const PATIENCE_MS = 100;

/** Opens no connection when nothing is limited. */
export function openRateLimits(
  { redisUrl, queuePrefix, rateLimit, rateLimitStarts, rateLimitFailures }: RateLimitSettings,
  log: Logger,
): { limits: RateLimits; close(): void } {
  const isAny = rateLimit > 0 || rateLimitStarts > 0 || rateLimitFailures > 0;
  const redis = redisUrl === null || !isAny ? null : connect(redisUrl, log);
  const open = (name: string, perMinute: number): RateLimit | null => {
    if (perMinute === 0) return null;
    const settings = { points: perMinute, duration: WINDOW_S, keyPrefix: `${queuePrefix}:rate:${name}` };
    const memory = new RateLimiterMemory(settings);
    const limiter =
      redis === null
        ? memory
        : new RateLimiterRedis({
            ...settings,
            storeClient: redis,
            rejectIfRedisNotReady: true,
            insuranceLimiter: memory,
            // Whoever is over the limit is answered without asking Redis again.
            inMemoryBlockOnConsumed: perMinute + 1,
          });
    return { take: (who) => limiter.consume(who).then(verdict, refusal) };
    function verdict({ remainingPoints, msBeforeNext }: RateLimiterRes): RateVerdict {
      return { isAllowed: true, limit: perMinute, remaining: remainingPoints, retryAfterMs: msBeforeNext };
    }
    function refusal(reason: unknown): RateVerdict {
      if (!(reason instanceof RateLimiterRes)) throw reason;
      return { isAllowed: false, limit: perMinute, remaining: 0, retryAfterMs: reason.msBeforeNext };
    }
  };
  const limits = {
    requests: open('requests', rateLimit),
    starts: open('starts', rateLimitStarts),
    failures: open('failures', rateLimitFailures),
  };
  return { limits, close: () => redis?.disconnect() };
}

function connect(url: string, log: Logger): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: PATIENCE_MS,
    connectTimeout: 1_000,
    keepAlive: 5_000,
    retryStrategy: (times) => Math.min(100 * times, 2_000),
  });
  redis.on('error', (error) => log.debug({ error: error.message }, 'redis connection of the rate limits'));
  return redis;
}
