// The definition that somebody sent, in its normal form, or every problem it has as one error.

import type { Definition } from '../core/definition.ts';
import { AppError } from '../core/errors.ts';
import { type ValidationOptions, validateDefinition } from '../core/validation.ts';
import type { Engine } from './engine.ts';

/** Throws `invalid_definition` with every problem at once. */
export function checkDefinition(engine: Engine, definition: unknown, options?: ValidationOptions): Definition {
  const checked = validateDefinition(definition, engine.types, engine.known, options);
  if (checked.ok) return checked.definition;
  const message = 'the definition has problems; details lists each with its place';
  throw new AppError('invalid_definition', message, checked.problems);
}
