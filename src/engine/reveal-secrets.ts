// Gives a running step the values of the secrets that its definition names, and keeps them out of everything that comes
// back from it. The values live in the memory of this one call.

import type { Json, JsonObject } from '../core/json.ts';
import type { PlanStep } from '../core/plan.ts';
import { findSecretNames, revealSecrets } from '../core/secret-templates.ts';
import { createRedactor } from '../core/secrets.ts';
import { isStepError, StepError } from '../core/step-type.ts';
import { findSealedSecrets, type SealedSecret } from '../store/secrets.ts';
import type { Engine } from './engine.ts';
import { labelOf } from './secrets.ts';

export interface Revealed {
  input: JsonObject;
  /** Blanks the values, wherever they are in it. */
  redact(value: Json): Json;
  /** The same error without them. */
  redactError(error: unknown): unknown;
}

/** Throws a `StepError` when a secret is not there, or cannot be read. */
export async function revealInput(
  engine: Engine,
  workspaceId: string,
  { step, input }: { step: PlanStep; input: JsonObject },
): Promise<Revealed> {
  const { type, step: written } = step;
  const names = findSecretNames(type.templates.map((field) => written[field]));
  if (names.size === 0)
    return { input: structuredClone(input), redact: (value) => value, redactError: (error) => error };
  const values = await openSecrets(engine, workspaceId, names);
  const secretOf = (name: string) => values.get(name)!;
  const filled = Object.entries(input).map(([field, value]) => {
    const encode = type.interpolation?.(written, field)?.encode;
    return [field, revealSecrets(written[field], value, encode ? { secretOf, encode } : { secretOf })];
  });
  const redact = createRedactor(values);
  return { input: Object.fromEntries(filled), redact, redactError: (error) => redactError(error, redact) };
}

async function openSecrets(
  engine: Engine,
  workspaceId: string,
  names: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const rows = await findSealedSecrets(engine.db, { workspaceId, names: [...names] }).catch((cause: unknown) => {
    throw new StepError('unavailable', 'The secrets of the step cannot be read at the moment', { cause });
  });
  const values = new Map<string, string>();
  for (const name of names) {
    const row = rows.find((one) => one.name === name);
    if (!row)
      throw new StepError('secret_not_found', `The workspace has no secret "${name}"; set it and retry the run`, {
        retryable: false,
      });
    values.set(name, openSecret(engine, row));
  }
  return values;
}

function openSecret({ sealer }: Engine, row: SealedSecret): string {
  try {
    if (sealer) return sealer.open(row.sealed, labelOf(row));
  } catch {
    // Told below, like having no key at all.
  }
  throw new StepError(
    'secret_unreadable',
    `The secret "${row.name}" was sealed under a key that this process does not have; its operator has to list it in HOLDPOINT_SECRET_KEY`,
  );
}

function redactError(error: unknown, redact: Revealed['redact']): unknown {
  const message = String(redact(error instanceof Error ? error.message : String(error)));
  if (!isStepError(error)) return new Error(message);
  const { code, retryable, definite, retryAfterMs } = error;
  const options = { retryable, definite, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return new StepError(String(redact(code)), message, options);
}
