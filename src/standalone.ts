// Everything in one process, for a first run and for development: Postgres under the data folder unless DATABASE_URL
// names one, the schema, web and worker. Owns the order of starting and draining; what it prints is written elsewhere.

import { pathToFileURL } from 'node:url';
import { type Config, loadConfig } from './config.ts';
import { forgetAddress, noteAddress } from './standalone-address.ts';
import { type Credentials, loadCredentials } from './standalone-credentials.ts';
import { formatWelcome } from './standalone-welcome.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './store/embedded-postgres.ts';
import { migrate } from './store/migrate.ts';
import { startWeb } from './web.ts';
import { startWorker } from './worker.ts';

/** A part that runs in this process, and the way to end it. */
interface Part {
  name: string;
  stop(): Promise<void>;
}

export interface Standalone {
  address: string;
  credentials: Credentials;
  postgres: EmbeddedPostgres | null;
  stop(): Promise<void>;
}

/** npm repeats the terminal's Ctrl-C to its child; a signal this soon after the first is that echo, not a second wish. */
const ECHO_MS = 1_000;

/** Starts all parts; when one fails, those before it are stopped again and its error is thrown. */
export async function startStandalone(config: Config, say: (line: string) => void): Promise<Standalone> {
  const parts: Part[] = [];
  const stop = async () => {
    // Stopping takes each part off the list, so a second call has nothing left to stop.
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) await part.stop();
  };
  try {
    const postgres =
      config.databaseUrl === null ? await startEmbeddedPostgres({ dataDir: config.dataDir, onNotice: say }) : null;
    if (postgres !== null) parts.push({ name: 'Postgres', stop: () => postgres.stop() });
    const databaseUrl = postgres?.url ?? config.databaseUrl!;
    const names = await migrate(databaseUrl);
    if (names.length > 0) say(`Migrated the database: ${names.join(', ')}`);
    const credentials = await loadCredentials(config);
    const settings = {
      ...config,
      databaseUrl,
      bootstrapApiKey: credentials.apiKey,
      bootstrapWorkspace: credentials.workspace,
      secretKeys: credentials.secretKeys,
    };
    const web = await startWeb(settings).catch((error: unknown) => Promise.reject(explainListening(error, config)));
    parts.push({ name: 'web', stop: () => web.stop() });
    const worker = await startWorker(settings);
    parts.push({ name: 'worker', stop: () => worker.stop() });
    const address = reachable(web.address);
    await noteAddress(config.dataDir, address);
    parts.push({ name: 'address', stop: () => forgetAddress(config.dataDir) });
    return { address, credentials, postgres, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** An address that a client on this machine can use: a server that listens everywhere is asked on loopback. */
function reachable(address: string): string {
  const url = new URL(address);
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = '127.0.0.1';
  return url.origin;
}

function explainListening(error: unknown, { host, port }: Config): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'EADDRINUSE') {
    return new Error(
      `Port ${port} on ${host} is taken. Stop what uses it, or choose another: PORT=${port + 1} npm start`,
      { cause: error },
    );
  }
  if (code === 'EACCES') {
    return new Error(`Port ${port} may not be opened by this user. Choose one above 1023: PORT=3000 npm start`, {
      cause: error,
    });
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new Error(
      `HOST=${host} is no address of this machine. Set HOST=127.0.0.1, or HOST=0.0.0.0 for all of its addresses.`,
      { cause: error },
    );
  }
  return error;
}

async function main(): Promise<void> {
  const say = (line: string) => console.log(line);
  // Signals count from the start on: one that comes while Postgres is recovering must not leave half a start behind.
  const asked = waitForSignal(say);
  const config = loadConfig();
  const standalone = await startStandalone(config, say);
  say(formatWelcome(config, standalone));
  await asked;
  await standalone.stop();
  say('Stopped. All runs are kept and go on at the next start.');
}

/** Resolves at the first signal; a later one ends the process at once, with Postgres told to shut down by its exit hook. */
function waitForSignal(say: (line: string) => void): Promise<void> {
  return new Promise((resolve) => {
    let first: number | null = null;
    const onSignal = () => {
      if (first === null) {
        first = Date.now();
        say('\nDraining: running steps may finish, then everything stops. Ask again to stop at once.');
        resolve();
      } else if (Date.now() - first > ECHO_MS) {
        process.exit(130);
      }
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exit(1);
    },
  );
}
