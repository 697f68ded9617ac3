// Sends a curl command line as a shell and curl would, as far as the seeds use them: quotes, `${NAME}`, a backslash at the
// end of a line; -X, -H, -d, -F with a value or a file. So the seeds' own lines are what is tested, on machines without curl.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Answer } from './api.ts';

/** Runs `line` with these shell variables; each pair of `replaced` stands for what the document could not know. */
export async function runCurl(
  line: string,
  { variables = {}, replaced = {} }: { variables?: Record<string, string>; replaced?: Record<string, string> },
): Promise<Answer> {
  const known = Object.entries(replaced).reduce((text, [from, to]) => text.replaceAll(from, to), line);
  const [command, ...words] = splitWords(known, variables);
  if (command !== 'curl') throw new Error(`no curl line: ${line}`);
  const { url, ...init } = await readArguments(words);
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

/** The words of a shell command; nothing is expanded between single quotes. */
export function splitWords(line: string, variables: Record<string, string>): string[] {
  const expand = (text: string) =>
    text.replace(/\$\{(\w+)\}/g, (_, name: string) => {
      const value = variables[name];
      if (value === undefined) throw new Error(`the variable ${name} is not set`);
      return value;
    });
  const words = line.replaceAll('\\\n', ' ').match(/(?:'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"])+/g) ?? [];
  return words.map((word) =>
    word.replace(/'([^']*)'|"((?:\\.|[^"\\])*)"|([^'"]+)/g, (_, literal?: string, quoted?: string, bare?: string) =>
      literal !== undefined ? literal : expand(quoted?.replace(/\\(["\\$`])/g, '$1') ?? bare ?? ''),
    ),
  );
}

async function readArguments(words: string[]): Promise<RequestInit & { url: string }> {
  let url = '';
  let method: string | undefined;
  let data: string | undefined;
  const headers = new Headers();
  const form = new FormData();
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    if (!word.startsWith('-')) {
      url = word;
      continue;
    }
    at += 1;
    const value = words[at] ?? '';
    if (word === '-X') method = value;
    else if (word === '-H') headers.append(...(value.split(/:\s*(.*)/s).slice(0, 2) as [string, string]));
    else if (word === '-d') data = value;
    else if (word === '-F') await addField(form, value);
    else throw new Error(`curl's ${word} is not known here`);
  }
  const body = data ?? ([...form].length > 0 ? form : null);
  return { url, method: method ?? (body === null ? 'GET' : 'POST'), headers, body };
}

async function addField(form: FormData, field: string): Promise<void> {
  const [name = '', value = ''] = field.split(/=(.*)/s);
  if (!value.startsWith('@')) return form.append(name, value);
  const path = value.slice(1);
  const type = path.endsWith('.pdf') ? 'application/pdf' : 'application/octet-stream';
  form.append(name, new Blob([await readFile(path)], { type }), basename(path));
}
