// HTTP as bytes on a socket: what no well-behaved client would send. Knows nothing of what is asked.

import { connect, type Socket } from 'node:net';

export interface RawExchange {
  /** All that came back until the server ended the connection. */
  text: string;
  /** The status of each answer in it. */
  statuses: number[];
}

/** Sends these bytes and listens until the server closes. */
export function exchange(address: string, bytes: string | Buffer): Promise<RawExchange> {
  const socket = open(address);
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  return listenTo(socket);
}

/** All that comes until the server closes. */
export function listenTo(socket: Socket): Promise<RawExchange> {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    text += chunk;
  });
  return new Promise((resolve) => {
    socket.on('close', () => {
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      resolve({ text, statuses });
    });
  });
}

/** A connection whose reset is nobody's surprise. */
export function open(address: string): Socket {
  const { hostname, port } = new URL(address);
  return connect(Number(port), hostname).on('error', () => {});
}
