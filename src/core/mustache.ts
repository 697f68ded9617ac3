// `{{…}}`, another spelling of `${…}`, in one text. `input` and `variables` in it are `data`, `lastOutput` is the output of the
// one step that leads here; all else means what it means in `${…}`. Whether it can be read and computed is found out where all
// expressions are checked.

import { STEP_ID } from './definition.ts';
import { ExpressionFault } from './expression-fault.ts';
import { findClosingBrace } from './expression-scan.ts';

/** Steps whose output `lastOutput` may be at some place, or null where the word means nothing. */
export type Leading = () => readonly string[] | null;

/** What begins an object behind its brace; no path does. */
const OBJECT = /\s*(?:\}|(?:[\p{L}_$][\p{L}\p{M}\p{N}_$]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')\s*:)/uy;

/** A text as templates are: what stands in `${…}` already is left as it is. Reads each character once, or twice. */
export function translateTemplate(text: string, leading: Leading): string {
  let out = '';
  let copied = 0;
  let open = text.indexOf('{');
  while (open !== -1) {
    const dollars = countDollars(text, copied, open);
    let next = open + 1;
    if (text[next] === '{' && (dollars === 0 || !isObject(text, next + 1))) {
      const source = readMustache(text, next + 1);
      // `$${` would be a literal `${`.
      const price = dollars === 0 ? '' : `\${"${'$'.repeat(dollars)}"}`;
      out += `${text.slice(copied, open - dollars)}${price}\${${rename(source.text, leading)}}`;
      copied = source.end;
      next = source.end;
    } else if (dollars === 1) {
      const end = findClosingBrace(text, next);
      if (end === -1) break; // which is a problem of the template
      next = end + 1;
    }
    open = text.indexOf('{', next);
  }
  return out + text.slice(copied);
}

function countDollars(text: string, from: number, to: number): number {
  let count = 0;
  while (to - count > from && text[to - count - 1] === '$') count += 1;
  return count;
}

function isObject(text: string, at: number): boolean {
  OBJECT.lastIndex = at;
  return OBJECT.test(text);
}

/** What stands in the braces that are open at `start`, and where the text goes on behind them. */
function readMustache(text: string, start: number): { text: string; end: number } {
  const end = findClosingBrace(text, start);
  if (end === -1 || text[end + 1] !== '}')
    throw new ExpressionFault(
      `begins with {{ at character ${start - 1} and never ends with }}; a literal {{ is written {{"{{"}}`,
    );
  return { text: text.slice(start, end).trim(), end: end + 2 };
}

/** Quotes that are never closed end with the text, or looking for each one's end would take time in square. */
const BARE = /"(?:\\.|[^"\\])*(?:"|\\?$)|'(?:\\.|[^'\\])*(?:'|\\?$)|\$\{|\{\{/gs;
const PATH = /^[\p{L}\p{M}\p{N}_$.[\]]+$/u;

/** A bare expression, where each `{{…}}` stands for its value. */
export function translateBare(text: string, leading: Leading): string {
  let out = '';
  let at = 0;
  BARE.lastIndex = 0;
  for (let found = BARE.exec(text); found !== null; found = BARE.exec(text)) {
    if (/^["'].*\{\{/s.test(found[0]))
      throw new ExpressionFault('has {{…}} in quotes, where it would be a text; write it without them');
    if (found[0] !== '{{') continue;
    const mustache = readMustache(text, found.index + 2);
    const source = rename(mustache.text, leading);
    out += `${text.slice(at, found.index)}${PATH.test(source) ? source : `(${source})`}`;
    at = mustache.end;
    BARE.lastIndex = at;
  }
  return out + text.slice(at);
}

const TOKEN = /"(?:\\.|[^"\\])*(?:"|\\?$)|'(?:\\.|[^'\\])*(?:'|\\?$)|[\p{L}_$][\p{L}\p{M}\p{N}_$]*|\s+|./gsu;
const ROOTS: ReadonlySet<string> = new Set(['input', 'variables']);

/** Gives the roots of an expression the names that they have in `${…}`. */
function rename(source: string, leading: Leading): string {
  const tokens = source.match(TOKEN) ?? [];
  let before = '';
  return tokens
    .map((token, index) => {
      if (/^\s/.test(token)) return token;
      const behind = tokens.slice(index + 1, index + 3).find((next) => !/^\s/.test(next));
      const isKey = (before === '{' || before === ',') && behind === ':';
      const isRoot = before !== '.' && !isKey;
      before = token;
      if (isRoot && ROOTS.has(token)) return 'data';
      return isRoot && token === 'lastOutput' ? `steps.${requireOne(leading())}.output` : token;
    })
    .join('');
}

function requireOne(ids: readonly string[] | null): string {
  if (ids === null) throw new ExpressionFault('uses lastOutput, which only steps and edges know; name a step');
  const [id, ...others] = ids.filter((one) => STEP_ID.test(one));
  if (id === undefined)
    throw new ExpressionFault('uses lastOutput, but no step leads here; write {{input}} for what the run began with');
  if (others.length > 0)
    throw new ExpressionFault(
      `uses lastOutput, but several steps lead here; name the one that is meant: {{steps.${id}.output}}`,
    );
  return id;
}
