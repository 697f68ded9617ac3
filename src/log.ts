// The only log writer: JSON lines through pino, so CR, LF and escape codes in anybody's input stay inside a string. What
// looks like a credential is blanked in the finished line, whoever logged it and wherever it stood.

import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

export interface LogOptions {
  level: string;
  /** Which process writes: `web`, `worker`, … */
  name: string;
  /** Where lines go; stdout unless a test wants to read them. */
  destination?: DestinationStream;
}

export function createLog({ level, name, destination }: LogOptions): Logger {
  const options = {
    level,
    name,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: pino.stdSerializers.err },
    redact: { paths: REDACTED_FIELDS, censor: '[redacted]' },
    hooks: { streamWrite: redactSecrets },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** Blanks API keys, bearer and basic credentials, and passwords inside URLs. */
export function redactSecrets(line: string): string {
  return line
    .replace(/\bsk_[A-Za-z0-9_-]{8,}/g, 'sk_[redacted]')
    .replace(/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, '$1 [redacted]')
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"]*):[^\s/@"]+@/gi, '$1:[redacted]@');
}

const REDACTED_FIELDS = [
  'headers.authorization',
  'headers.cookie',
  'headers["x-api-key"]',
  'req.headers.authorization',
  'req.headers.cookie',
  'req.headers["x-api-key"]',
  'password',
  'secret',
  'apiKey',
];
