// Sealing of what must be read again but never found in a dump of the database: AES-256-GCM under the operator's keys.
// And fingerprints, by which a text is known again that was not kept at all. Knows nothing of what it seals.

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';

export interface Sealer {
  /** The label says what and whose the text is; a seal that is moved to another row does not open. */
  seal(text: string, label: string): Buffer;
  /** Throws when it was sealed under none of the keys, for another label, or was changed. */
  open(sealed: Buffer, label: string): string;
  /** 32 bytes for each key, the first's first. Equal for equal texts; without the keys no guess at a text can be tried. */
  fingerprints(text: string): Buffer[];
}

const ALGORITHM = 'aes-256-gcm';
const KEY_ID_BYTES = 4;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Seals under the first key and opens under any, so that keys can be changed; null without keys. */
export function createSealer(keys: readonly Buffer[]): Sealer | null {
  const [first] = keys;
  if (first === undefined) return null;
  const byId = new Map(keys.map((key) => [idOf(key).toString('hex'), key]));
  // One key for one purpose: what is sealed with is not what is fingerprinted with.
  const fingerprintKeys = keys.map((key) => createHmac('sha256', key).update('holdpoint fingerprints').digest());
  return {
    seal(text, label) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(ALGORITHM, first, iv).setAAD(Buffer.from(label));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([idOf(first), iv, cipher.getAuthTag(), body]);
    },
    open(sealed, label) {
      const key = byId.get(sealed.subarray(0, KEY_ID_BYTES).toString('hex'));
      if (key === undefined) throw new Error('sealed under a key that HOLDPOINT_SECRET_KEY does not list');
      const iv = sealed.subarray(KEY_ID_BYTES, KEY_ID_BYTES + IV_BYTES);
      const tag = sealed.subarray(KEY_ID_BYTES + IV_BYTES, KEY_ID_BYTES + IV_BYTES + TAG_BYTES);
      const options = { authTagLength: TAG_BYTES };
      const decipher = createDecipheriv(ALGORITHM, key, iv, options).setAAD(Buffer.from(label)).setAuthTag(tag);
      const body = sealed.subarray(KEY_ID_BYTES + IV_BYTES + TAG_BYTES);
      return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
    },
    fingerprints: (text) => fingerprintKeys.map((key) => createHmac('sha256', key).update(text).digest()),
  };
}

/** Which key sealed something; says nothing about the key itself. */
function idOf(key: Buffer): Buffer {
  return createHash('sha256').update('holdpoint key id').update(key).digest().subarray(0, KEY_ID_BYTES);
}
