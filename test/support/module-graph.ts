// What our source files import and export, read from their text without a compiler. Files are given by path, relative to
// the root; the rules over what is found here are support/architecture-rules.ts.

import { posix } from 'node:path';

/** Texts by path. */
export type Sources = ReadonlyMap<string, string>;

export interface Import {
  /** As written. */
  specifier: string;
  /** The file of ours that it names; null for packages and Node's own modules. */
  file: string | null;
  /** The package that it names, with its scope; null for our own files and Node's. */
  package: string | null;
  /** Names of imported values, `*` for all, none when only types or nothing is named. */
  values: string[];
  /** Gone at run time. */
  isTypeOnly: boolean;
  /** Passes on what it imports. */
  isReExport: boolean;
}

export interface Module {
  path: string;
  /** The text without the comments that stand on lines of their own. */
  code: string;
  /** The comment that the file opens with. */
  header: string;
  lines: number;
  imports: Import[];
}

/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, as statements that begin a line. */
const STATEMENT = /^(import|export)\b(?:([^;'"`]*?)\bfrom\b)?\s*(['"])([^'"\n]+)\3/gm;
/** `import('x')`, also in types, and `require('x')`. */
const CALL = /\b(typeof\s+)?(?:import|require)\s*\(\s*(['"`])([^'"`\n]+)\2/g;

export function readModules(sources: Sources): Module[] {
  return [...sources].map(([path, text]) => {
    const code = text.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, '').replace(/^[ \t]*\/\/.*$/gm, '');
    return {
      path,
      code,
      header: /^(?:#!.*\n)?(?:(?:\/\/.*\n)+|\/\*[\s\S]*?\*\/)/.exec(text)?.[0] ?? '',
      lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
      imports: [...readStatements(path, code), ...readCalls(path, code)],
    };
  });
}

function readStatements(path: string, code: string): Import[] {
  return [...code.matchAll(STATEMENT)].map(([, keyword, clause = '', , specifier = '']) => {
    const names = clause.trim();
    const isTypeOnly = /^type\b(?!\s*,|\s+from\b)/.test(names);
    return {
      ...resolveSpecifier(path, specifier),
      values: isTypeOnly ? [] : readValues(names),
      isTypeOnly,
      isReExport: keyword === 'export',
    };
  });
}

function readCalls(path: string, code: string): Import[] {
  return [...code.matchAll(CALL)].map(([, typeOf, , specifier = '']) => ({
    ...resolveSpecifier(path, specifier),
    values: typeOf === undefined ? ['*'] : [],
    isTypeOnly: typeOf !== undefined,
    isReExport: false,
  }));
}

/** The values that an import clause names, by the names that the other module gives them. */
function readValues(clause: string): string[] {
  const braces = /\{([\s\S]*)\}/.exec(clause)?.[1] ?? '';
  const named = braces.split(',').map((part) => part.trim());
  const values = named.filter((part) => part !== '' && !/^type\s+(?!as\b)/.test(part));
  const rest = clause
    .replace(/\{[\s\S]*\}/, '')
    .replaceAll(',', ' ')
    .trim();
  const whole = rest === '' ? [] : [rest.startsWith('*') ? '*' : 'default'];
  return [...whole, ...values.map((part) => part.split(/\s+as\s+/)[0]!)];
}

function resolveSpecifier(from: string, specifier: string): Pick<Import, 'specifier' | 'file' | 'package'> {
  if (specifier.startsWith('.')) {
    return { specifier, file: posix.join(posix.dirname(from), specifier), package: null };
  }
  if (specifier.startsWith('node:')) return { specifier, file: null, package: null };
  const [scope = '', name] = specifier.split('/');
  return { specifier, file: null, package: scope.startsWith('@') && name !== undefined ? `${scope}/${name}` : scope };
}

/** Circles of files that need one another to run, each as its path from the first back to the first. */
export function findCycles(modules: readonly Module[]): string[][] {
  const next = new Map(
    modules.map(({ path, imports }) => [
      path,
      imports.flatMap(({ file, isTypeOnly }) => (file === null || isTypeOnly ? [] : [file])),
    ]),
  );
  const done = new Set<string>();
  const cycles: string[][] = [];
  const visit = (path: string, trail: readonly string[]) => {
    const since = trail.indexOf(path);
    if (since >= 0) cycles.push([...trail.slice(since), path]);
    if (since >= 0 || done.has(path)) return;
    for (const file of next.get(path) ?? []) visit(file, [...trail, path]);
    done.add(path);
  };
  for (const path of next.keys()) visit(path, []);
  return cycles;
}
