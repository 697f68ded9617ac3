// The outside world as the tools of these tests see it: an HTTP server that counts what reaches it by effect key, and can
// keep callers waiting until a test lets them go, so that a test decides how long a step runs.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a tool tells about one execution of its handler. */
export interface Received {
  key: string;
  runId: string;
  step: string;
  visit: number;
  attempt: number;
  pid: number;
  /** `effect`, or what the handler noticed later, such as `aborted`. */
  what: string;
}

export interface Receiver {
  url: string;
  /** Everything received, in order. */
  calls: Received[];
  /** Effects by key: how often each happened. */
  effects(): Map<string, number>;
  /** Callers wait from now on. */
  hold(): void;
  /** Lets those that wait go, and those to come. */
  release(): void;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const calls: Received[] = [];
  let held: (() => void)[] | null = null;
  const effects = () => {
    const counts = new Map<string, number>();
    for (const { key, what } of calls) if (what === 'effect') counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts;
  };
  const release = () => {
    for (const answer of held ?? []) answer();
    held = null;
  };
  const server = createServer((request, response) => void receive(request, response));
  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = JSON.parse(await readText(request)) as Received;
    calls.push(call);
    const answer = () => response.end(JSON.stringify({ count: effects().get(call.key) ?? 0 }));
    if (held !== null && call.what === 'effect') held.push(answer);
    else answer();
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    effects,
    hold() {
      held ??= [];
    },
    release,
    async close() {
      release();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
