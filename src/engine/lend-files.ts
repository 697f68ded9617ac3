// Opens files for a running step, of its run's workspace only, and takes them back when the step is over.

import type { Readable } from 'node:stream';
import { type OpenedFile, StepError } from '../core/step-type.ts';
import type { Engine } from './engine.ts';
import { openFile } from './open-file.ts';

export interface LentFiles {
  /** Throws a `StepError`: `file_not_found`, or `file_unavailable`, after which another attempt may help. */
  open(fileId: string): Promise<OpenedFile>;
  /** Closes what was left open. */
  takeBack(): void;
}

/** What is lent is taken back, too, when `signal` aborts: a step that hangs may never be over. */
export function lendFiles(engine: Engine, workspaceId: string, signal: AbortSignal): LentFiles {
  const streams: Readable[] = [];
  let isOver = signal.aborted;
  signal.addEventListener('abort', takeBack, { once: true });
  return {
    async open(fileId) {
      const opened = await openFile(engine, { workspaceId, fileId }).catch(fail);
      if (opened === null) throw notFound(fileId);
      const { file, content } = opened;
      streams.push(content);
      if (isOver) takeBack();
      const { id, filename, contentType, size, sha256 } = file;
      return { fileId: id, filename, contentType, size, sha256: sha256.toString('hex'), content };
    },
    takeBack,
  };

  function takeBack(): void {
    isOver = true;
    for (const stream of streams.splice(0)) {
      // Destroyed while it is read, it fails; whoever read it is gone.
      stream.on('error', () => {});
      stream.destroy();
    }
  }
}

function notFound(fileId: string): StepError {
  const name = JSON.stringify(String(fileId).slice(0, 100));
  return new StepError('file_not_found', `There is no file ${name} in this workspace`, { retryable: false });
}

function fail(cause: unknown): never {
  throw new StepError('file_unavailable', 'The file cannot be read at the moment', { cause });
}
