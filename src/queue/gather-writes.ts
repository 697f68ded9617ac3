// Commands sent in one turn of the event loop go to Redis in one write. A group commit lets dozens of steps go at once, and
// each would otherwise cost a system call here and a wake-up there; ioredis' own auto-pipelining costs more than it saves.

import type { Redis } from 'ioredis';

/** Answers a function to be called before sending: it holds the connection's writes back until the turn is over. */
export function gatherWrites(redis: Redis): () => void {
  let held = false;
  return () => {
    if (held) return;
    const { stream } = redis;
    if (!stream?.writable) return;
    held = true;
    stream.cork();
    setImmediate(() => {
      held = false;
      stream.uncork();
    });
  };
}
