// What the program prints: lines for people, or JSON for programs where `--json` asks for it. Results go to stdout, what went
// wrong to stderr. What is printed is for the commands to say.

import { styleText } from 'node:util';
import { ApiError, ExecutionError } from '../sdk/errors.ts';
import { readTerminal } from './settings.ts';

export type Style = 'green' | 'red' | 'yellow' | 'cyan' | 'dim' | 'bold';

export interface Output {
  readonly isJson: boolean;
  /** People are looking: lines may be drawn over. */
  readonly isTerminal: boolean;
  /** How wide a line may be that is to be drawn over. */
  readonly width: number;
  paint(style: Style, text: string): string;
  line(text: string): void;
  /** The result: `value` for programs, `lines` for people. */
  result(value: unknown, lines: readonly string[]): void;
  /** As it is, without an end of line. */
  draw(text: string): void;
  error(error: unknown): void;
}

export function createOutput({ json: isJson = false }: { json?: boolean | undefined }): Output {
  const { isTerminal, hasColor } = readTerminal(process.stdout);
  const paint = (style: Style, text: string) => (hasColor && !isJson ? styleText(style, text) : text);
  const line = (text: string) => void process.stdout.write(`${isJson ? text : neutralise(text)}\n`);
  return {
    isJson,
    isTerminal: isTerminal && !isJson,
    get width() {
      return process.stdout.columns || 80;
    },
    paint,
    line,
    result(value, lines) {
      if (isJson) line(JSON.stringify(value));
      else for (const text of lines) line(text);
    },
    draw: (text) => void process.stdout.write(text),
    error(error) {
      const text = isJson ? JSON.stringify({ error: describeError(error) }) : neutralise(formatError(error));
      process.stderr.write(`${text}\n`);
    },
  };
}

/** Without control characters but for colours: what workflows and servers say must not move the cursor or set a title. */
export function neutralise(text: string): string {
  return text.replace(/(\p{Cc})(\[\d{1,2}m)?/gu, (whole, control: string, color?: string) => {
    if (control === '\n' || control === '\t' || (control === '\x1b' && color !== undefined)) return whole;
    return `\ufffd${color ?? ''}`;
  });
}

function describeError(error: unknown): object {
  const message = messageOf(error);
  if (error instanceof ExecutionError) return { code: 'execution_failed', message, execution: error.execution };
  if (!(error instanceof ApiError)) return { code: error instanceof Error ? error.name : 'Error', message };
  const { status, code, details, requestId } = error;
  return { code, message, status, details, requestId };
}

function formatError(error: unknown): string {
  const message = messageOf(error);
  const problems = error instanceof ApiError ? error.details : [];
  const lines = problems
    .map(({ pointer, message, hint }) => `${pointer || '/'} ${message}${hint === undefined ? '' : ` (${hint})`}`)
    // The only problem is the whole message.
    .filter((line) => line !== message);
  const asked = error instanceof ApiError && error.requestId !== null ? [`request ${error.requestId}`] : [];
  return [`holdpoint: ${message}`, ...[...lines, ...hintAt(error), ...asked].map((line) => `  ${line}`)].join('\n');
}

/** What to do, where the server cannot know how it was asked. */
function hintAt(error: unknown): string[] {
  if (!(error instanceof ApiError)) return [];
  if (error.status === 0)
    return [
      'start one with `holdpoint start`, or say where it is: --url or HOLDPOINT_URL (`holdpoint doctor` looks closer)',
    ];
  if (error.status === 401) return ['the key is that of --api-key or HOLDPOINT_API_KEY; `holdpoint doctor` says which'];
  return [];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Columns as wide as they must be, the last one as it is. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, column) => Math.max(known[column] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** `340 ms`, `12.4 s`, `3 min 5 s`, `2 h 10 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}
