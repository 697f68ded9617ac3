// Tools that log: at every level, more than fits, what is secret, and while they go on.

import { defineTool, StepError } from '../../src/steps/tools.ts';

export const tools = [
  /** Logs a line at each level; fails its first `fails` attempts. */
  defineTool<{ fails?: number }>({
    name: 'log-each',
    handler({ fails = 0 }, { log, attempt }) {
      for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](`said at ${level}`, { attempt });
      if (attempt <= fails) throw new StepError('flaky', 'not this time');
      return {};
    },
  }),
  /** Logs so many lines at once, without letting anything else happen. */
  defineTool<{ lines: number }>({
    name: 'log-flood',
    handler({ lines }, { log }) {
      for (let line = 1; line <= lines; line += 1) log.info(`line ${line}`);
      return {};
    },
  }),
  /** Logs a line and goes on until its receiver lets it go. */
  defineTool<{ url: string }>({
    name: 'log-and-wait',
    async handler({ url }, { log, signal }) {
      log.info('waiting');
      await fetch(url, { method: 'POST', body: '{}', signal });
      return {};
    },
  }),
  /** Logs what it was told in secret. */
  defineTool({
    name: 'log-secret',
    async handler(_args, { log, reveal }) {
      const { secret } = (await reveal())['args'] as { secret: string };
      log.info(`with ${secret}`, { secret, header: `Bearer ${secret}`, key: 'sk_live_0123456789abcdef' });
      return {};
    },
  }),
];
