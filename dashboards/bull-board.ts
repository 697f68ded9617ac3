// Bull Board over the step queues, to look at only: the job data holds ids and nothing else. Who may see it is decided
// by http/app.ts, which also lets nothing but GET and HEAD through.

import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { KoaAdapter } from '@bull-board/koa';
import type { Queue } from 'bullmq';
import type { Middleware } from 'koa';

/** Its page has inline styles and a `<base>`; everything else stays as strict as the API's, and nobody may frame it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Serves the board at `basePath`; the queues stay their owner's to close. */
export function createBoard({ queues, basePath }: { queues: readonly Queue[]; basePath: string }): Middleware {
  const serverAdapter = new KoaAdapter();
  serverAdapter.setBasePath(basePath);
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false })),
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Holdpoint queues' } },
  });
  const serve = serverAdapter.registerPlugin();
  return async (context, next) => {
    context.set('content-security-policy', CONTENT_SECURITY_POLICY);
    await serve(context, next);
    context.set('cache-control', 'no-store');
  };
}
