// A listener that must never be connected to, and a web server of a test's own: both count what reaches them.

import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export interface Listener {
  port: number;
  /** Connections that were opened to it. */
  connections: number;
  close(): Promise<void>;
}

/** Listens on every address of this machine, IPv4 and IPv6. */
export function startListener(): Promise<Listener> {
  return open(createServer(), '::');
}

/** Serves HTTP on an IPv4 address of this machine. */
export function startServer(serve: RequestListener, host = '127.0.0.1'): Promise<Listener> {
  return open(createHttpServer(serve), host);
}

async function open(server: Server, host: string): Promise<Listener> {
  const sockets = new Set<Socket>();
  const listener: Listener = {
    port: 0,
    connections: 0,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on('connection', (socket: Socket) => {
    listener.connections += 1;
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  listener.port = (server.address() as AddressInfo).port;
  return listener;
}
