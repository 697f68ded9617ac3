// A server of the test's own that speaks S3: the npm package s3rver, as a process with its objects in a folder of the run.
// It knows one access key and takes it unsigned; signing is the AWS SDK's affair.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { S3Settings } from '../../src/config.ts';
import { eventually } from './eventually.ts';
import { getReaper } from './reaper.ts';

export interface S3Server {
  settings: S3Settings;
  stop(): Promise<void>;
}

const BUCKET = 'holdpoint-test';
/** The one pair of keys that it knows. */
const CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
const PROGRAM = createRequire(import.meta.url).resolve('s3rver/bin/s3rver.js');

export async function startS3Server(): Promise<S3Server> {
  const folder = mkdtempSync(join(getReaper().folder, 's3-'));
  const args = [
    PROGRAM,
    '-d',
    folder,
    '-a',
    '127.0.0.1',
    '-p',
    '0',
    '--no-vhost-buckets',
    '--configure-bucket',
    BUCKET,
  ];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  getReaper().keep(server.pid!);
  const lines: string[] = [];
  for (const output of [server.stdout, server.stderr]) {
    output.on('data', (text: Buffer) => {
      lines.push(text.toString());
    });
  }
  const port = await eventually(() => /listening on \S+:(\d+)/.exec(lines.join(''))?.[1], {
    what: () => `an S3 server that listens, in ${lines.join('')},`,
  });
  return {
    settings: { bucket: BUCKET, endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials: CREDENTIALS },
    async stop() {
      if (server.exitCode !== null || server.signalCode !== null) return;
      const exit = once(server, 'exit');
      server.kill('SIGKILL');
      await exit;
      getReaper().forget(server.pid!);
    },
  };
}
