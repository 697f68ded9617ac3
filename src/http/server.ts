// The listening socket: Node's own timeouts (GUARANTEES §8), a bound on what a refused sender may go on sending, and an end
// that lets requests in flight finish.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type Koa from 'koa';

export interface RunningServer {
  /** `http://host:port`, with the port that was really taken. */
  address: string;
  /** Takes no more requests, waits for those in flight at most `withinMs`, then cuts them off. */
  close(withinMs: number): Promise<void>;
}

const SETTINGS = {
  /** To receive a whole request; answers may take longer. */
  requestTimeout: 30_000,
  headersTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16_384,
};
const MAX_REQUESTS_PER_SOCKET = 1_000;
/** What comes after an answer is read so far, since a sender whose connection is cut may never see the answer. */
const MAX_REST_BYTES = 16 * 1_048_576;
const REST_CHECK_MS = 100;

export interface ListenOptions {
  port: number;
  host: string;
  /** Shorter times than ours, for tests. */
  timeouts?: Partial<typeof SETTINGS>;
}

export async function listen(app: Koa, { port, host, timeouts = {} }: ListenOptions): Promise<RunningServer> {
  const answer = app.callback();
  const server = createServer({ ...SETTINGS, ...timeouts }, (request, response) => {
    boundRest(request, response);
    void answer(request, response);
  });
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return { address: addressOf(server, host), close: (withinMs) => closeServer(server, sockets, withinMs) };
}

/**
 * Cuts off who goes on sending long after the answer: a body without an end would hold its connection to the timeout. Asks
 * the socket now and then, since Node shows nobody a body that it throws away itself.
 */
function boundRest(request: IncomingMessage, response: ServerResponse): void {
  response.once('finish', () => {
    if (request.complete) return;
    const { socket } = request;
    const most = socket.bytesRead + MAX_REST_BYTES;
    const timer = setInterval(() => {
      if (socket.bytesRead > most) socket.destroy();
      if (socket.destroyed || request.complete) clearInterval(timer);
    }, REST_CHECK_MS);
    timer.unref();
  });
}

function addressOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo; // listening on TCP, so it is one
  const name = ['0.0.0.0', '::'].includes(host) ? 'localhost' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

async function closeServer(server: Server, sockets: ReadonlySet<Socket>, withinMs: number): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), withinMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    // Node counts a connection as idle only after its first request; browsers and clients open some in advance.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  });
  clearTimeout(cut);
}
