// Ends what a test run leaves behind, however the run ends: a small shell that outlives us notices that our pipe to it
// closed, kills the processes it was told of and removes the run's folder. No exit handler runs after a kill -9.

import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SCRIPT = `
trap '' INT TERM HUP
kept=' '
while read -r verb value; do
  case $verb in
    keep) kept="$kept$value " ;;
    forget) kept=$(printf %s "$kept" | sed "s/ $value / /") ;;
    remove) set -- "$@" "$value" ;;
  esac
done
for pid in $kept; do kill -9 "$pid" 2>/dev/null; done
sleep 0.2
rm -rf "$@"
`;

export interface Reaper {
  /** A folder of this run, removed at its end; others may pass through, since Postgres may run as another user. */
  folder: string;
  keep(pid: number): void;
  forget(pid: number): void;
  /** A folder elsewhere that is to be removed as well. */
  remove(folder: string): void;
}

let running: Reaper | null = null;

/** The reaper of this process, started when it is first asked for. */
export function getReaper(): Reaper {
  running ??= startReaper();
  return running;
}

function startReaper(): Reaper {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'holdpoint-test-'));
  chmodSync(folder, 0o755);
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'reaper', folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  shell.unref();
  const { stdin } = shell;
  // A pipe of a child keeps the event loop alive unless it is told not to; its type does not say that it can be.
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
  return {
    folder,
    keep: (pid) => void stdin.write(`keep ${pid}\n`),
    forget: (pid) => void stdin.write(`forget ${pid}\n`),
    remove: (path) => void stdin.write(`remove ${path}\n`),
  };
}
