// Which version a change was made for: `If-Match` (RFC 9110 §13.1.1) with a version, `"1.0.3"` or 3, as `ETag` gave it.

import { AppError } from '../core/errors.ts';

const VERSION = /^(?:W\/)?("?)(?:1\.0\.(0|[1-9][0-9]{0,8})|([1-9][0-9]{0,8}))\1$/;

/** The number of the version, or null when any will do. Throws `invalid_request`. */
export function readIfMatch(header: string): number | null {
  if (header === '' || header === '*') return null;
  const [, , patch, number] = VERSION.exec(header.trim()) ?? [];
  if (patch !== undefined) return Number(patch) + 1;
  if (number !== undefined) return Number(number);
  throw new AppError('invalid_request', 'If-Match must be one version, such as "1.0.3", or left out');
}
