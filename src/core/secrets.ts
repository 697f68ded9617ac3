// Secrets as the rest of the system may know them: their names, the placeholder that stands for one wherever a value is
// stored, and how a value is kept out of what comes back. Where values are kept is store/secrets.ts.

import { isJsonObject, type Json } from './json.ts';

export const SECRET_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
export const SECRET_NAME_RULE = 'names are 1 to 64 letters, digits and "_", the first no digit';
/** A shorter value could not be kept out of outputs: every chance occurrence of it would be blanked. */
export const MIN_SECRET_CHARS = 8;
export const MAX_SECRET_CHARS = 32_768;

/** What is stored in the place of a secret: the very expression that names it. */
export function placeholderOf(name: string): string {
  return `\${secrets.${name}}`;
}

/** A part of a text that also has placeholders, written so that nothing in it can be taken for one. */
export function escapePlain(text: string): string {
  return text.replaceAll('$', '$$$$');
}

/** The text that `escapePlain` and `placeholderOf` were put together to; `secretOf` is also told what stands before. */
export function fillPlaceholders(text: string, secretOf: (name: string, before: string) => string): string {
  let filled = '';
  let at = 0;
  for (const found of text.matchAll(/\$\$|\$\{secrets\.([A-Za-z_][A-Za-z0-9_]{0,63})\}/g)) {
    filled += text.slice(at, found.index);
    filled += found[1] === undefined ? '$' : secretOf(found[1], filled);
    at = found.index + found[0].length;
  }
  return filled + text.slice(at);
}

export type Redact = (value: Json) => Json;

interface Form {
  name: string;
  text: string;
  /** As it stands in JSON. */
  escaped: string;
}

/** Blanks `secrets`, by name, in texts, numbers and keys: as they are, and in the encodings that servers echo them in. */
export function createRedactor(secrets: ReadonlyMap<string, string>): Redact {
  const forms = [...secrets].flatMap(([name, value]) =>
    listForms(value).map((text): Form => ({ name, text, escaped: JSON.stringify(text).slice(1, -1) })),
  );
  // The longest first: a part of a form may be the form of another secret.
  forms.sort((a, b) => b.text.length - a.text.length);
  return (value) => {
    // Mostly nothing is found: one search through the whole is cheaper than one through each of its texts.
    const json = JSON.stringify(value);
    const found = forms.filter(({ escaped }) => json.includes(escaped));
    return found.length === 0 ? value : blank(value, found);
  };
}

function blank(value: Json, forms: readonly Form[]): Json {
  if (typeof value === 'string') return blankText(value, forms);
  if (typeof value === 'number')
    return forms.some(({ text }) => String(value).includes(text)) ? blankText(String(value), forms) : value;
  if (Array.isArray(value)) return value.map((item) => blank(item, forms));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [blankText(key, forms), blank(item, forms)]));
}

function blankText(text: string, forms: readonly Form[]): string {
  return forms.reduce((left, form) => left.replaceAll(form.text, () => `[secret ${form.name}]`), text);
}

function listForms(value: string): string[] {
  const percent = encodeURIComponent(value);
  const bytes = Buffer.from(value);
  const base64 = [0, 1, 2].map((offset) => findInBase64(bytes, offset));
  const forms = [
    value,
    percent,
    percent.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    percent.replaceAll('%20', '+'),
    new URLSearchParams([['', value]]).toString().slice(1),
    JSON.stringify(value).slice(1, -1),
    bytes.toString('hex'),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
  return [...new Set(forms)];
}

/** The characters that `bytes` alone decide when they begin `offset` bytes into a group of base64, as in `user:secret`. */
function findInBase64(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
}
