// Starts a run from a form: fields become its input as the payload describes them, and a file is stored before the run is
// committed. When there will be no such run, nothing of the file is left.

import { AppError } from '../core/errors.ts';
import { type FormField, namesForPayload, readFormInput } from '../core/form-input.ts';
import type { JsonObject } from '../core/json.ts';
import type { Engine } from './engine.ts';
import { type MakeInput, type StartRequest, startRun } from './start-run.ts';
import { type CheckedFile, checkFile, discardFile, storeFile, type Upload } from './store-file.ts';

export interface StartForm {
  fields: readonly FormField[];
  attachment: Upload | null;
}

/** Throws what `startRun` does, and `unsupported_media_type`, `quota_exceeded`. */
export async function startRunWithForm(
  engine: Engine,
  request: Omit<StartRequest, 'input'>,
  { fields, attachment }: StartForm,
): Promise<{ runId: string }> {
  const { actor } = request;
  const file = attachment === null ? null : await checkFile(actor, attachment);
  let storedFor: string | null = null;
  const input: MakeInput = async ({ plan, runId, check }) => {
    const made = makeInput(plan.definition.payload ?? {}, { fields, given: file ? presentFile(file) : {}, check });
    if (file !== null) {
      storedFor = runId;
      await storeFile(engine, { file, runId, actor });
    }
    return made;
  };
  const discard = async () => {
    if (file !== null && storedFor !== null) await discardFile(engine, file);
  };
  try {
    const started = await startRun(engine, { ...request, input });
    // The same start came before: that run has a file of its own.
    if (started.runId !== storedFor) await discard();
    return started;
  } catch (error) {
    if (isRefusal(error)) await discard();
    throw error;
  }
}

/** What the run's data says of its file. */
function presentFile({ id, filename, contentType, size, sha256 }: CheckedFile): JsonObject {
  return { fileId: id, attachment: { fileId: id, filename, contentType, size, sha256: sha256.toString('hex') } };
}

function makeInput(
  payload: JsonObject,
  { fields, given, check }: { fields: readonly FormField[]; given: JsonObject; check(input: JsonObject): JsonObject },
): JsonObject {
  const { input, problems } = readFormInput(payload, fields);
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(input, name))
      problems.push({ pointer: `/${name}`, message: 'is given by the attachment', hint: 'leave this field out' });
  }
  if (problems.length > 0) throw new AppError('invalid_input', 'The fields cannot be read', problems);
  const shown = namesForPayload(payload, Object.keys(given)).map((name) => [name, given[name]!] as const);
  return { ...check({ ...input, ...Object.fromEntries(shown) }), ...given };
}

/** Whether the run certainly does not exist: after anything else it may yet be committed, and then it needs its file. */
function isRefusal(error: unknown): boolean {
  return error instanceof AppError && error.code !== 'unavailable' && error.code !== 'internal';
}
