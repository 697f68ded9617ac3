// Opens a stored file for whoever may read its workspace's. Another workspace's file is told from one that never was by
// nothing.

import type { Readable } from 'node:stream';
import { AppError } from '../core/errors.ts';
import type { Connection } from '../store/db.ts';
import { isUuid } from '../store/definitions.ts';
import { type FileRow, findFile } from '../store/files.ts';
import type { Engine } from './engine.ts';
import { filesOf, keyOf } from './store-file.ts';

/** The file and its content, which is to be read to its end or destroyed; null when there is none. Throws `unavailable`. */
export async function openFile(
  engine: Engine,
  { workspaceId, fileId, reader = engine.db }: { workspaceId: string; fileId: string; reader?: Connection },
): Promise<{ file: FileRow; content: Readable } | null> {
  const file = isUuid(fileId) ? await findFile(reader, { workspaceId, fileId: fileId.toLowerCase() }) : null;
  if (file === null) return null;
  try {
    const content = await filesOf(engine).storage.open(keyOf(file));
    if (content !== null) return { file, content };
  } catch (cause) {
    engine.log.error({ err: cause, fileId: file.id }, 'a file could not be opened');
    throw new AppError('unavailable', 'the file cannot be read at the moment; try again shortly', [], { cause });
  }
  engine.log.error(
    { fileId: file.id },
    'the content of a file is missing; does this process see the storage it was put in?',
  );
  return null;
}
