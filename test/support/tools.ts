// Tools that behave as badly as real ones can. What they do to the outside world they do to a test's receiver, with the
// effect key, so that a test can count executions and effects in whatever process they happen.

import { defineTool, StepError, type WorkContext } from '../../src/steps/tools.ts';

type Told = { url: string };

async function tell(url: string, context: WorkContext, what: string, signal?: AbortSignal): Promise<number> {
  const { effectKey: key, runId, stepId: step, visit, attempt } = context;
  const body = JSON.stringify({ key, runId, step, visit, attempt, pid: process.pid, what });
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'idempotency-key': key },
    ...(signal ? { signal } : {}),
  });
  return ((await response.json()) as { count: number }).count;
}

const never = () => new Promise<never>(() => {});

export const tools = [
  defineTool({ name: 'noop', handler: () => ({}) }),
  defineTool({ name: 'pure', pure: true, handler: () => ({}) }),
  /** Returns what it is given, as a tool that touches the world: claimed first. */
  defineTool({ name: 'give', handler: (args) => args }),
  /** One effect; runs until the receiver lets it go, or its signal aborts unless it is `deaf`. */
  defineTool<Told & { deaf?: boolean }>({
    name: 'effect',
    async handler({ url, deaf }, context) {
      await tell(url, context, 'effect', deaf ? undefined : context.signal).catch(async (error: unknown) => {
        await tell(url, context, 'aborted');
        throw error;
      });
      return {};
    },
  }),
  /** Never returns, and tells when its signal aborts. */
  defineTool<Told>({
    name: 'hang',
    async handler({ url }, context) {
      context.signal.addEventListener('abort', () => void tell(url, context, 'aborted'));
      await tell(url, context, 'effect');
      return never();
    },
  }),
  /** Blocks the event loop after its effect: no heartbeat, no lock renewal, no signal. */
  defineTool<Told & { ms: number }>({
    name: 'block',
    async handler({ url, ms }, context) {
      const count = await tell(url, context, 'effect');
      for (const end = Date.now() + ms; count === 1 && Date.now() < end; );
      return {};
    },
  }),
  /** Kills its process the first `times` times that it runs, after its effect. */
  defineTool<Told & { times: number }>({
    name: 'crash',
    async handler({ url, times }, context) {
      const count = await tell(url, context, 'effect');
      if (count > times) return {};
      process.kill(process.pid, 'SIGKILL');
      return never();
    },
  }),
  /** Fails its first `times` attempts. */
  defineTool<{ times: number; definite?: boolean; retryable?: boolean; url?: string }>({
    name: 'fail',
    async handler({ times, definite = false, retryable = true, url }, context) {
      if (url) await tell(url, context, 'effect');
      if (context.attempt <= times) throw new StepError('flaky', 'not this time', { definite, retryable });
      return {};
    },
  }),
  /** Fails the first `times` executions under one effect key, whatever attempt they are. */
  defineTool<Told & { times: number }>({
    name: 'balk',
    async handler({ url, times }, context) {
      const count = await tell(url, context, 'effect');
      if (count <= times) throw new StepError('balky', 'not yet', { retryable: false });
      return {};
    },
  }),
  /** Returns text that Postgres refuses. */
  defineTool({ name: 'nul', handler: () => ({ text: 'a\u0000b' }) }),
];
