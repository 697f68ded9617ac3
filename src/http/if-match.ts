// Which version a change was made for: `If-Match` (RFC 9110 §13.1.1) with a version, `"1.0.3"` or 3, as `ETag` gave it.

import { AppError } from '../core/errors.ts';

const NUMBER = '(?:0|[1-9][0-9]{0,8})';
const VERSION = new RegExp(`^(?:W/)?("?)(${NUMBER}(?:\\.${NUMBER}\\.${NUMBER})?)\\1$`);
/** Of a version that no workflow has, `2.1.0`. */
const NONE = 0;

/** The number of the version, or null when any will do. Throws `invalid_request`. */
export function readIfMatch(header: string): number | null {
  if (header === '' || header === '*') return null;
  const version = VERSION.exec(header.trim())?.[2];
  if (version?.startsWith('1.0.')) return Number(version.slice(4)) + 1;
  if (version !== undefined) return version.includes('.') ? NONE : Number(version);
  throw new AppError('invalid_request', 'If-Match must be one version, such as "1.0.3", or left out');
}
