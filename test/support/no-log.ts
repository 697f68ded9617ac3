// A log for handlers that tests call by themselves: nobody reads it.

import type { Log } from '../../src/core/log-lines.ts';

const drop = () => {};

export const NO_LOG: Log = { debug: drop, info: drop, warn: drop, error: drop };
