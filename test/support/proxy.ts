// A TCP proxy that breaks connections as networks do: for Redis and Postgres alike, since it looks at bytes only. What it
// can do beyond that is lose the reply to a request that has certainly been carried out.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { findFreePort } from '../../src/store/free-port.ts';

/**
 * `refuse`: nobody listens; `blackhole`: connections are taken, and nothing passes either way; `reset`: open connections
 * are reset, new ones pass; delays in ms, rates in bytes per second, both ways.
 */
export type ProxyMode = 'pass' | 'refuse' | 'blackhole' | 'reset' | { latencyMs: number } | { bytesPerSecond: number };

export interface TestProxy {
  /** The address of the server behind it, by way of the proxy. */
  url: string;
  set(mode: ProxyMode): Promise<void>;
  /** After each of the next `times` requests that match, waits for the reply, drops it and cuts the connection. */
  cutReplies(request: RegExp, times: number): void;
  /** Replies dropped so far. */
  readonly cuts: number;
  close(): Promise<void>;
}

interface Link {
  client: Socket;
  server: Socket;
  /** The reply to this link's last request is to be lost. */
  doomed: boolean;
}

/** Postgres ends a reply with ReadyForQuery; by then the statement is committed. */
const READY_FOR_QUERY = Buffer.from([0x5a, 0, 0, 0, 5]);

export async function startProxy(target: string): Promise<TestProxy> {
  const url = new URL(target);
  const isPostgres = url.protocol.startsWith('postgres');
  const [host, targetPort] = [url.hostname, Number(url.port)];
  const links = new Set<Link>();
  let mode: ProxyMode = 'pass';
  let cutting: { request: RegExp; left: number } | null = null;
  let cuts = 0;

  function accept(client: Socket): void {
    const link: Link = { client, server: connect(targetPort, host), doomed: false };
    links.add(link);
    for (const socket of [client, link.server]) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => drop(link));
    }
    client.on('data', (data) => onRequest(link, data));
    link.server.on('data', (data) => onReply(link, data));
    if (mode === 'blackhole') pause(link);
  }

  function onRequest(link: Link, data: Buffer): void {
    if (cutting && cutting.left > 0 && cutting.request.test(data.toString('latin1'))) {
      cutting.left -= 1;
      link.doomed = true;
    }
    pass(data, link.client, link.server);
  }

  function onReply(link: Link, data: Buffer): void {
    if (!link.doomed) {
      pass(data, link.server, link.client);
    } else if (!isPostgres || data.includes(READY_FOR_QUERY)) {
      cuts += 1;
      drop(link);
    }
  }

  /** Hands data on as the mode has it; a paused source keeps the order and bounds the memory. */
  function pass(data: Buffer, from: Socket, to: Socket): void {
    const waitMs =
      typeof mode === 'string' ? 0 : 'latencyMs' in mode ? mode.latencyMs : (data.length / mode.bytesPerSecond) * 1_000;
    if (waitMs === 0) return void to.write(data);
    from.pause();
    setTimeout(() => {
      to.write(data);
      from.resume();
    }, waitMs);
  }

  function drop(link: Link): void {
    links.delete(link);
    link.client.destroy();
    link.server.destroy();
  }

  const port = await findFreePort();
  let server = await listen(port, accept);
  url.hostname = '127.0.0.1';
  url.port = `${port}`;
  return {
    url: url.href,
    get cuts() {
      return cuts;
    },
    async set(next) {
      const before = mode;
      mode = next;
      if (next === 'refuse') {
        for (const link of links) drop(link);
        await stop(server);
      } else if (before === 'refuse') server = await listen(port, accept);
      if (next === 'reset') {
        for (const link of links) link.client.resetAndDestroy();
      }
      for (const link of links) (next === 'blackhole' ? pause : resume)(link);
    },
    cutReplies(request, times) {
      cutting = { request, left: times };
    },
    async close() {
      for (const link of links) drop(link);
      await stop(server);
    },
  };
}

async function listen(port: number, accept: (client: Socket) => void): Promise<Server> {
  const server = createServer(accept).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await once(server, 'close');
}

function pause({ client, server }: Link): void {
  client.pause();
  server.pause();
}

function resume({ client, server }: Link): void {
  client.resume();
  server.resume();
}
