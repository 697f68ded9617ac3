// The listening socket: Node's own timeouts (GUARANTEES §8), and an end that lets requests in flight finish.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
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

export async function listen(app: Koa, { port, host }: { port: number; host: string }): Promise<RunningServer> {
  const server = createServer(SETTINGS, app.callback());
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return { address: addressOf(server, host), close: (withinMs) => closeServer(server, withinMs) };
}

function addressOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo; // listening on TCP, so it is one
  const name = ['0.0.0.0', '::'].includes(host) ? 'localhost' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

async function closeServer(server: Server, withinMs: number): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), withinMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(cut);
}
