// An HTTP gateway in front of a real server, as a load balancer is: passes requests on, remembers what they were, and where a
// test asks for it refuses some of them, cuts what it is answering, or serves files of its own beside the API.

import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  method: string;
  path: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

export interface Gateway {
  url: string;
  /** Newest last. */
  requests: SeenRequest[];
  /** Answers the next requests itself, one each. */
  refuseNext(...answers: { status: number; headers?: Record<string, string>; body?: string }[]): void;
  /** Ends, without a word, every answer that is under way; says how many there were. */
  cut(): number;
  /** From now on no answer that is under way says another word, and none of them ends. */
  mute(): void;
  /** Served by path, with its content type. */
  files: Map<string, { type: string; body: string }>;
  close(): Promise<void>;
}

export async function startGateway(target: string): Promise<Gateway> {
  const requests: SeenRequest[] = [];
  const refusals: { status: number; headers?: Record<string, string>; body?: string }[] = [];
  const files: Gateway['files'] = new Map();
  const open = new Map<ServerResponse, IncomingMessage | null>();

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/', headers } = incoming;
    const file = files.get(path);
    if (file !== undefined) return void response.writeHead(200, { 'content-type': file.type }).end(file.body);
    let body = '';
    for await (const chunk of incoming.setEncoding('utf8')) body += chunk;
    requests.push({ method, path, headers, body });
    const refusal = refusals.shift();
    if (refusal !== undefined) return void response.writeHead(refusal.status, refusal.headers).end(refusal.body);
    open.set(response, null);
    response.once('close', () => open.delete(response));
    const outgoing = request(`${target}${path}`, { method, headers: { ...headers, host: new URL(target).host } });
    outgoing.on('error', () => response.destroy());
    response.once('close', () => outgoing.destroy());
    outgoing.on('response', (answer) => {
      open.set(response, answer);
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    outgoing.end(body);
  }

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    files,
    refuseNext: (...answers) => void refusals.push(...answers),
    cut() {
      const cut = [...open.keys()];
      for (const response of cut) response.destroy();
      return cut.length;
    },
    mute() {
      for (const [response, answer] of open) answer?.unpipe(response);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
