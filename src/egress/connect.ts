// Opens a connection to where the rules allow one: the name is looked up once, every answer is judged, the connection
// goes to one of those very addresses, and the address it ended at is judged again. What is spoken over it is not known.

import { lookup as lookupBySystem, Resolver } from 'node:dns/promises';
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { blocked, EgressError } from './egress-error.ts';
import { type EgressRules, foldHost, mayConnect, type Target } from './rules.ts';

/** Every address of a name. */
export type Lookup = (host: string) => Promise<string[]>;

export interface ConnectOptions {
  rules: EgressRules;
  lookup: Lookup;
  /** For name, connection and TLS together. */
  connectMs: number;
}

/** Asks the system as any program would, or only these DNS servers (`address:port`). */
export function createLookup(servers: readonly string[] | undefined): Lookup {
  if (servers === undefined)
    return async (host) => (await lookupBySystem(host, { all: true })).map(({ address }) => address);
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  resolver.setServers(servers);
  return async (host) => {
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  };
}

/** A connected socket; throws `egress_blocked`, `connection_failed`, `connection_timeout` or `aborted`. */
export async function openSocket(
  { host, port, secure }: Target & { secure?: boolean },
  { rules, lookup, connectMs }: ConnectOptions,
  signal?: AbortSignal,
): Promise<Socket> {
  const target = { host: foldHost(host) ?? '', port };
  const timeout = AbortSignal.timeout(connectMs);
  const ending = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
  try {
    const addresses = isIP(target.host) ? [target.host] : await orAbort(lookup(target.host), ending);
    if (!addresses.every((address) => mayConnect(address, target, rules))) throw blocked();
    if (addresses.length === 0) throw failed('its name has no address');
    const socket = await orAbort(...dial(target, addresses), ending);
    if (mayConnect(socket.remoteAddress ?? '', target, rules)) {
      return secure ? await orAbort(...encrypt(socket, target.host), ending) : socket;
    }
    socket.destroy();
    throw blocked();
  } catch (error) {
    if (error instanceof EgressError) throw error;
    if (signal?.aborted) throw new EgressError('aborted', 'The call was given up', { sent: false, cause: error });
    if (timeout.aborted)
      throw new EgressError('connection_timeout', 'Connection timeout to external service', { sent: false });
    throw failed(error instanceof Error && 'code' in error ? String(error.code) : 'no reason given', error);
  }
}

/** Lets Node try the addresses one after the other, as it does for names, but only those that were judged. */
function dial({ host, port }: Target, addresses: string[]): [Promise<Socket>, Socket] {
  const answers = addresses.map((address) => ({ address, family: isIP(address) }));
  const lookup: LookupFunction = (_host, { all }, callback) =>
    all ? callback(null, answers) : callback(null, answers[0]!.address, answers[0]!.family);
  const socket = connect({ host, port, lookup, autoSelectFamily: true, noDelay: true, keepAlive: true });
  return [whenOpen(socket, 'connect'), socket];
}

function encrypt(socket: Socket, host: string): [Promise<Socket>, Socket] {
  const servername = isIP(host) ? {} : { servername: host };
  const encrypted = connectTls({ socket, host, ...servername, ALPNProtocols: ['http/1.1'] });
  return [whenOpen(encrypted, 'secureConnect'), encrypted];
}

function whenOpen<Opening extends Socket>(socket: Opening, event: 'connect' | 'secureConnect'): Promise<Opening> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('closed'));
    socket.once('error', reject).once('close', onClose);
    socket.once(event, () => {
      socket.off('error', reject).off('close', onClose);
      resolve(socket);
    });
  });
}

/** The promise's result unless the signal comes first; then what was being opened is closed. */
function orAbort<Result>(promise: Promise<Result>, ...rest: [AbortSignal] | [Socket, AbortSignal]): Promise<Result> {
  const signal = rest.at(-1) as AbortSignal;
  const socket = rest.length === 2 ? rest[0] : null;
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      socket?.on('error', () => {}).destroy();
      reject(signal.reason);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function failed(reason: string, cause?: unknown): EgressError {
  return new EgressError('connection_failed', `Connection to external service failed (${reason})`, {
    sent: false,
    cause,
  });
}
