// The name that a file is kept and handed out under: what somebody's computer called it, made harmless wherever it may be
// written to disk, shown or put into a header. It is a label only; where a file lies is named by us.

/** What no file system and no header minds. */
const MAX_BYTES = 200;

const CONTROLS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu;
const RESERVED_CHARACTERS = /[<>:"|?*]/g;
/** Names that Windows gives to devices, with or without an extension. */
const DEVICES = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(?=\.|$)/i;

/** `sent` as a plain name that ends in one of `extensions` (lower case, without the dot): the first unless it does already. */
export function cleanFilename(sent: string, extensions: readonly [string, ...string[]]): string {
  const plain = baseName(sent).toWellFormed().replaceAll('\ufffd', '_').replace(CONTROLS, '');
  const name = trimDots(plain.replace(RESERVED_CHARACTERS, '_')).replace(DEVICES, '_$1');
  const dot = name.lastIndexOf('.');
  const own = name.slice(dot + 1);
  const fits = dot > 0 && extensions.includes(own.toLowerCase());
  const [stem, extension] = fits ? [name.slice(0, dot), own] : [name, extensions[0]];
  return `${cut(stem, MAX_BYTES - extension.length - 1) || 'file'}.${extension}`;
}

function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** Without dots and white space at its ends; by hand, because a pattern for it is quadratic. */
function trimDots(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && /[\s.]/u.test(text[start]!)) start += 1;
  while (end > start && /[\s.]/u.test(text[end - 1]!)) end -= 1;
  return text.slice(start, end);
}

/** At most so many bytes as UTF-8, with no character cut in two. */
function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    bytes += byteLength(character.codePointAt(0)!);
    if (bytes > maxBytes) break;
    end += character.length;
  }
  return text.slice(0, end).trimEnd();
}

function byteLength(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x1_0000 ? 3 : 4;
}
