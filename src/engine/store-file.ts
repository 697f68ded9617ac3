// Stores a file that comes with a start, before its run is committed, and takes it away again when there will be no such
// run. What a crash leaves between the two is engine/sweep-files.ts.

import { v7 as newId } from 'uuid';
import { AppError } from '../core/errors.ts';
import { cleanFilename } from '../core/filename.ts';
import type { Actor } from '../core/run.ts';
import { findFileKind, KNOWN_KINDS } from '../files/file-kind.ts';
import type { Files } from '../files/storage.ts';
import { deleteFile, type FileRow, insertFile } from '../store/files.ts';
import type { Engine } from './engine.ts';

/** What a client sent; its name and type are claims. */
export interface Upload {
  filename: string;
  contentType: string;
  content: Uint8Array;
  /** SHA-256 of the content. */
  sha256: Buffer;
}

/** A file ready to be stored. */
export interface CheckedFile extends FileRow {
  content: Uint8Array;
}

export function keyOf({ workspaceId, id }: Pick<FileRow, 'workspaceId' | 'id'>): string {
  return `${workspaceId}/${id}`;
}

/** Says what the upload is, by its bytes; stores nothing. Throws `unsupported_media_type`, `invalid_request`. */
export async function checkFile({ workspaceId }: Actor, upload: Upload): Promise<CheckedFile> {
  const { content } = upload;
  if (content.byteLength === 0)
    throw new AppError('invalid_request', 'the attachment is empty', [
      { pointer: '/attachment', message: 'is an empty file', hint: 'send a file with something in it, or none' },
    ]);
  const kind = await findFileKind(content, upload);
  if (kind === null) {
    const reason = 'the content of the attachment is of no kind that is taken here, whatever it is called';
    throw new AppError('unsupported_media_type', `${reason}; send ${KNOWN_KINDS}`);
  }
  return {
    id: newId(),
    workspaceId,
    filename: cleanFilename(upload.filename, kind.extensions),
    contentType: kind.contentType,
    size: content.byteLength,
    sha256: upload.sha256,
    content,
  };
}

/** Throws `quota_exceeded`, `unavailable`. */
export async function storeFile(
  engine: Engine,
  { file, runId, actor }: { file: CheckedFile; runId: string; actor: Actor },
): Promise<void> {
  const { storage, quotaBytes } = filesOf(engine);
  const { content, ...row } = file;
  if (!(await insertFile(engine.db, { ...row, runId, createdBy: actor.userId }, quotaBytes)))
    throw new AppError(
      'quota_exceeded',
      `with this file the workspace would store more than its ${quotaBytes} bytes; ask whoever runs this server for more`,
    );
  try {
    await storage.put(keyOf(file), content);
  } catch (cause) {
    engine.log.error({ err: cause, fileId: file.id }, 'a file could not be stored');
    // Its row stays for the sweep: what was sent to a storage that is slow may arrive after it was removed.
    await storage.remove(keyOf(file)).catch(() => {});
    throw new AppError('unavailable', 'the file could not be stored at the moment; try again shortly', [], { cause });
  }
}

/** Removes a file that no run has. What cannot be removed now is left to the sweep. */
export async function discardFile(engine: Engine, file: Pick<FileRow, 'id' | 'workspaceId'>): Promise<void> {
  try {
    await filesOf(engine).storage.remove(keyOf(file));
    await deleteFile(engine.db, file.id);
  } catch (error) {
    engine.log.warn({ error: String(error), fileId: file.id }, 'an unused file could not be removed yet');
  }
}

/** An engine that was given no storage neither takes nor lends files. */
export function filesOf({ files }: Engine): Files {
  if (files === undefined) throw new Error('this process has no storage for files');
  return files;
}
