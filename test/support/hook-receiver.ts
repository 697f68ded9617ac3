// The receiver of webhooks and callbacks: an HTTP server that keeps what it is sent, byte for byte, and answers as a test
// says. A test may keep senders waiting, and count how many wait at once.

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface ReceivedMessage {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export type Respond = (response: ServerResponse, message: ReceivedMessage) => void;

export interface HookReceiver {
  /** With a path of a test's own, so that tests do not see one another's messages. */
  url(path: string): string;
  port: number;
  received(path: string): ReceivedMessage[];
  /** How messages to this path are answered; 204 where nothing is said. */
  answer(path: string, respond: Respond): void;
  close(): Promise<void>;
}

export async function startHookReceiver(): Promise<HookReceiver> {
  const messages: ReceivedMessage[] = [];
  const answers = new Map<string, Respond>();
  const server = createServer(async (request, response) => {
    const { url: path = '', headers } = request;
    const message = { path, headers, body: (await buffer(request)).toString() };
    messages.push(message);
    const respond = answers.get(path) ?? ((to) => to.writeHead(204).end());
    respond(response, message);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: (path) => `http://127.0.0.1:${port}${path}`,
    received: (path) => messages.filter((message) => message.path === path),
    answer: (path, respond) => void answers.set(path, respond),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers the statuses one after the other, and the last from then on. */
export function inTurn(...statuses: number[]): Respond {
  let turn = 0;
  return (response) => {
    const status = statuses[Math.min(turn, statuses.length - 1)]!;
    turn += 1;
    response.writeHead(status).end();
  };
}
