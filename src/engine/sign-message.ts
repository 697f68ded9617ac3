// Signs what is sent to the outside, by the Standard Webhooks specification and in the two headers that receivers of older
// webhooks look at. Knows secrets, and nothing of deliveries. https://www.standardwebhooks.com

import { createHmac, randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

export interface Message {
  /** The same however often it is sent. */
  id: string;
  /** Epoch milliseconds of this try. */
  at: number;
  event: string;
  body: string;
  secret: string;
}

const PREFIX = 'whsec_';
const SECRET_BYTES = 32;

export const SIGNING_SECRET_RULE = `"${PREFIX}" and 24 to 64 bytes as base64, or any other text of 24 to 256 visible ASCII characters`;

export function createSigningSecret(): string {
  return `${PREFIX}${randomBytes(SECRET_BYTES).toString('base64')}`;
}

export function isSigningSecret(secret: string): boolean {
  if (!secret.startsWith(PREFIX)) return /^[\x21-\x7e]{24,256}$/.test(secret);
  const { length } = keyOf(secret);
  return /^whsec_[A-Za-z0-9+/]+={0,2}$/.test(secret) && secret.length % 4 === 2 && length >= 24 && length <= 64;
}

/** The headers that go with the message. */
export function signMessage({ id, at, event, body, secret }: Message): Record<string, string> {
  const key = keyOf(secret);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at / 1_000)),
    'webhook-signature': new Webhook(key, { format: 'raw' }).sign(id, new Date(at), body),
    'x-webhook-event': event,
    'x-webhook-signature': createHmac('sha256', key).update(body).digest('base64'),
  };
}

/** A secret of the specification is base64; any other is taken as the text it is. */
export function keyOf(secret: string): Buffer {
  return secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), 'base64') : Buffer.from(secret);
}
