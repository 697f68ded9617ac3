// Ports on this machine for a server that will want the same one again. Knows nothing of who listens.

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below those that systems give to whoever asks for any port: Linux from 32,768 on, others from 49,152. One of theirs may be
 * somebody else's whenever its server is away for a moment.
 */
const FIRST = 10_000;
const LAST = 32_000;
const TRIES = 100;

/** A port that nobody listens on; throws when there seems to be none. */
export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(FIRST, LAST);
    if (await isFree(port)) return port;
  }
  throw new Error(`No port between ${FIRST} and ${LAST} can be listened on at 127.0.0.1`);
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
