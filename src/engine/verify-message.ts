// Whether a message from outside was signed with a secret: by the Standard Webhooks specification, or by the HMAC of its body
// alone. Knows secrets and headers, and nothing of what is to happen. https://www.standardwebhooks.com

import { createHmac, timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { keyOf } from './sign-message.ts';

export interface SignedMessage {
  /** As it came, to the byte. */
  body: string;
  /** One header, lower-case name; `''` when it is missing. */
  header(name: string): string;
}

/** How far a message's time may be from now, either way: what is older may be somebody's copy. */
const TOLERANCE_MS = 300_000;
const SECONDS = /^\d{1,12}$/;
const HEX_HMAC = /^sha256=([0-9a-f]{64})$/i;

/**
 * By `webhook-signature` where that is there, else by `sha256=<hex>` in `x-webhook-signature`, or where GitHub and its like
 * send that; without any: no.
 */
export function isSignedWith(secret: string, { body, header }: SignedMessage, now: number): boolean {
  const timestamp = header('webhook-timestamp');
  // Also where it is not signed along: a message that says itself that it is old is none to take.
  if (timestamp !== '' && !isRecent(timestamp, now)) return false;
  if (header('webhook-signature') !== '') return isStandard(secret, { body, header });
  const [, hex] = HEX_HMAC.exec(header('x-webhook-signature') || header('x-hub-signature-256')) ?? [];
  if (hex === undefined) return false;
  // The secret as the text it is, as senders without the specification take it.
  const expected = createHmac('sha256', secret).update(body).digest();
  return timingSafeEqual(Buffer.from(hex, 'hex'), expected);
}

function isRecent(timestamp: string, now: number): boolean {
  return SECONDS.test(timestamp) && Math.abs(now - Number(timestamp) * 1_000) <= TOLERANCE_MS;
}

function isStandard(secret: string, { body, header }: SignedMessage): boolean {
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
  try {
    new Webhook(keyOf(secret), { format: 'raw' }).verify(
      body,
      Object.fromEntries(names.map((name) => [name, header(name)])),
      { jsonParse: false },
    );
    return true;
  } catch {
    return false;
  }
}
