// What a file is, judged by its bytes: PDF, pictures, text, CSV, JSON and Office documents are known, everything else is
// not. What its sender calls it only chooses between kinds of text. Nothing is ever unpacked or rendered here.

import { fileTypeFromBuffer } from 'file-type';

export interface FileKind {
  contentType: string;
  /** What names of such files may end in, the usual one first. */
  extensions: readonly [string, ...string[]];
}

const OOXML = 'application/vnd.openxmlformats-officedocument';
const ODF = 'application/vnd.oasis.opendocument';

/** By the content type that `file-type` finds. Documents with macros are left out. */
const BINARY: ReadonlyMap<string, FileKind['extensions']> = new Map<string, FileKind['extensions']>([
  ['application/pdf', ['pdf']],
  ['image/png', ['png']],
  ['image/apng', ['png', 'apng']],
  ['image/jpeg', ['jpg', 'jpeg']],
  ['image/gif', ['gif']],
  ['image/webp', ['webp']],
  ['image/avif', ['avif']],
  ['image/heic', ['heic', 'heif']],
  ['image/heif', ['heif', 'heic']],
  ['image/tiff', ['tif', 'tiff']],
  ['image/bmp', ['bmp']],
  [`${OOXML}.wordprocessingml.document`, ['docx']],
  [`${OOXML}.spreadsheetml.sheet`, ['xlsx']],
  [`${OOXML}.presentationml.presentation`, ['pptx']],
  [`${ODF}.text`, ['odt']],
  [`${ODF}.spreadsheet`, ['ods']],
  [`${ODF}.presentation`, ['odp']],
  ['application/rtf', ['rtf']],
]);

/** Office files from before 2007 are all compound files; a stream with such a name says which program's. */
const COMPOUND: readonly { stream: string; kind: FileKind }[] = [
  { stream: 'WordDocument', kind: { contentType: 'application/msword', extensions: ['doc'] } },
  { stream: 'Workbook', kind: { contentType: 'application/vnd.ms-excel', extensions: ['xls'] } },
  { stream: 'PowerPoint Document', kind: { contentType: 'application/vnd.ms-powerpoint', extensions: ['ppt'] } },
];

const CSV: FileKind = { contentType: 'text/csv', extensions: ['csv', 'tsv'] };
const JSON_TEXT: FileKind = { contentType: 'application/json', extensions: ['json'] };
const TEXT: FileKind = { contentType: 'text/plain', extensions: ['txt', 'md', 'log', 'csv', 'tsv', 'json', 'jsonl'] };

export const KNOWN_KINDS =
  'PDF, PNG, JPEG, GIF, WebP, AVIF, HEIC, TIFF, BMP, text, CSV, JSON, RTF, and Office documents';

/** The kind of file that `content` is, or null when it is none that is taken. */
export async function findFileKind(
  content: Uint8Array,
  claimed: { filename: string; contentType: string },
): Promise<FileKind | null> {
  // The mark of UTF-16 is taken for the start of an MP3 otherwise.
  const found = findUtf16(content) === null ? await fileTypeFromBuffer(content) : undefined;
  if (found === undefined) return findTextKind(content, claimed);
  if (found.mime === 'application/x-cfb') return findCompoundKind(content);
  const extensions = BINARY.get(found.mime);
  return extensions === undefined ? null : { contentType: found.mime, extensions };
}

function findCompoundKind(content: Uint8Array): FileKind | null {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return COMPOUND.find(({ stream }) => bytes.includes(stream, 0, 'utf16le'))?.kind ?? null;
}

/** Text begins neither like markup nor like a script: a browser or a shell might take it for more than text. */
function findTextKind(content: Uint8Array, claimed: { filename: string; contentType: string }): FileKind | null {
  const start = decodeStart(content);
  if (start === null || /^\s*(<|#!)/.test(start)) return null;
  const says = (type: RegExp, extension: RegExp) =>
    type.test(claimed.contentType) || extension.test(claimed.filename.trimEnd());
  if (says(/^text\/(csv|tab-separated-values)\b/i, /\.(csv|tsv)$/i)) return CSV;
  if (says(/^application\/json\b/i, /\.json$/i) && /^\s*[[{"\d-]/.test(start)) return JSON_TEXT;
  return TEXT;
}

/** Enough to see past any indentation that somebody would write. */
const START = 4_096;

/** How the file begins as text, or null when it is no text in UTF-8, UTF-16 or a code page of one byte. */
function decodeStart(content: Uint8Array): string | null {
  const encoding = findUtf16(content);
  if (encoding === null) {
    return content.some(isBinary) ? null : new TextDecoder('utf-8').decode(content.subarray(0, START));
  }
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(content);
    return text.includes('\u0000') ? null : text.slice(0, START);
  } catch {
    return null;
  }
}

function findUtf16([first, second]: Uint8Array): 'utf-16le' | 'utf-16be' | null {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : null;
}

/** A "binary data byte" of https://mimesniff.spec.whatwg.org/#binary-data-byte: found in no text of any code page. */
function isBinary(byte: number): boolean {
  return byte <= 0x08 || byte === 0x0b || (byte >= 0x0e && byte <= 0x1a) || (byte >= 0x1c && byte <= 0x1f);
}
