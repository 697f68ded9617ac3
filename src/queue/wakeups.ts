// Hints over Redis pub/sub.

import type { Redis } from 'ioredis';
import { gatherHints, type Wakeups } from '../core/wakeups.ts';

export function openRedisWakeups(publisher: Redis, subscriber: Redis, prefix: string): Wakeups {
  const channel = `${prefix}:wakeups`;
  const { publish, subscribe, receive } = gatherHints((message) => {
    publisher.publish(channel, message).catch(() => {});
  }, setImmediate);
  subscriber.on('message', (_channel: string, message: string) => receive(message));
  void subscriber.subscribe(channel).catch(() => {});
  return {
    publish,
    subscribe,
    async close() {
      subscriber.disconnect();
    },
  };
}
