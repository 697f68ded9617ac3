// Hints over Redis pub/sub. A process subscribes only while somebody in it listens, or did a moment ago: most processes never
// wait for a run, and each message would cost them its parsing.

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { gatherHints, type Wakeups } from '../core/wakeups.ts';

/** Waiters come and go by the second; a subscription outlives the last one, so that the next finds it. */
const LINGER_MS = 10_000;

export function openRedisWakeups(publisher: Redis, subscriber: Redis, prefix: string): Wakeups {
  const channel = `${prefix}:wakeups`;
  let isSubscribed = false;
  let isListening = false;
  let linger: NodeJS.Timeout | null = null;

  function onListening(now: boolean): void {
    isListening = now;
    if (now && !isSubscribed) {
      isSubscribed = true;
      subscriber.subscribe(channel).catch(() => {});
    }
    if (!now) linger ??= setTimeout(leave, LINGER_MS).unref();
  }

  function leave(): void {
    linger = null;
    if (isListening) return;
    isSubscribed = false;
    subscriber.unsubscribe(channel).catch(() => {});
  }

  const { publish, subscribe, receive } = gatherHints({
    self: randomUUID(),
    send(message) {
      publisher.publish(channel, message).catch(() => {});
    },
    defer: setImmediate,
    onListening,
  });
  subscriber.on('message', (_channel: string, message: string) => receive(message));
  return {
    publish,
    subscribe,
    async close() {
      if (linger) clearTimeout(linger);
      subscriber.disconnect();
    },
  };
}
