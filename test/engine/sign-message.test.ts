import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { createSigningSecret, isSigningSecret, signMessage } from '../../src/engine/sign-message.ts';

const PLAIN = 'a-secret-of-somebody-elses-choice';
const BODY = JSON.stringify({ type: 'run_completed', text: 'Zürich 🙂' });

function sign(secret: string, at = Date.now()): Record<string, string> {
  return signMessage({ id: 'msg_1', at, event: 'run_completed', body: BODY, secret });
}

/** What the program of that name makes of it, as base64. */
function hmacByOpenssl(text: string, key: Buffer): string {
  const args = ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${key.toString('hex')}`, '-binary'];
  return execFileSync('openssl', args, { input: text }).toString('base64');
}

describe('a signed message', () => {
  it('is verified by the library of the specification, with a secret of its own kind and with any other', () => {
    const made = createSigningSecret();
    expect(new Webhook(made).verify(BODY, sign(made))).to.deep.equal(JSON.parse(BODY));
    expect(new Webhook(PLAIN, { format: 'raw' }).verify(BODY, sign(PLAIN))).to.deep.equal(JSON.parse(BODY));
    expect(() => new Webhook(made).verify(BODY.replace('run', 'ran'), sign(made))).to.throw(/No matching signature/);
    expect(() => new Webhook(createSigningSecret()).verify(BODY, sign(made))).to.throw(/No matching signature/);
    expect(() => new Webhook(made).verify(BODY, sign(made, Date.now() - 600_000))).to.throw(/too old/);
  });

  it('is what openssl makes of it, in both kinds of headers', () => {
    const made = createSigningSecret();
    for (const [secret, key] of [
      [made, Buffer.from(made.slice('whsec_'.length), 'base64')],
      [PLAIN, Buffer.from(PLAIN)],
    ] as const) {
      const headers = sign(secret, 1_700_000_000_999);
      expect(headers['webhook-timestamp']).to.equal('1700000000');
      expect(headers['webhook-signature']).to.equal(`v1,${hmacByOpenssl(`msg_1.1700000000.${BODY}`, key)}`);
      expect(headers['x-webhook-signature']).to.equal(hmacByOpenssl(BODY, key));
      expect(headers['x-webhook-event']).to.equal('run_completed');
    }
  });

  it('is signed with long secrets only: 24 to 64 bytes of base64, or as many characters', () => {
    const ofBytes = (count: number) => `whsec_${Buffer.alloc(count, 250).toString('base64')}`;
    for (const secret of [
      createSigningSecret(),
      ofBytes(24),
      ofBytes(25),
      ofBytes(26),
      ofBytes(64),
      PLAIN,
      'x'.repeat(24),
    ])
      expect(isSigningSecret(secret), secret).to.equal(true);
    for (const secret of [
      '',
      'short',
      'x'.repeat(23),
      'x'.repeat(257),
      'with a blank in the middle of it',
      ofBytes(23),
      ofBytes(65),
      `${ofBytes(24)}\n`,
      'whsec_',
      'whsec_not*base64*at*all*but*long*enough*for*it',
      `ü${'x'.repeat(30)}`,
    ])
      expect(isSigningSecret(secret), secret).to.equal(false);
  });
});
