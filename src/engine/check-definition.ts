// The definition that somebody sent, in its normal form, or every problem it has as one error.

import type { Definition } from '../core/definition.ts';
import { AppError } from '../core/errors.ts';
import { validateDefinition } from '../core/validation.ts';
import type { Engine } from './engine.ts';

/** Throws `invalid_definition` with every problem at once. */
export function checkDefinition(engine: Engine, definition: unknown): Definition {
  const checked = validateDefinition(definition, engine.types, engine.known);
  if (checked.ok) return checked.definition;
  const message = 'the definition has problems; details lists each with its place';
  throw new AppError('invalid_definition', message, checked.problems);
}
