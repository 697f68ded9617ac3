import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { SMTPServer } from 'smtp-server';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { StepError, type WorkContext } from '../../src/core/step-type.ts';
import { createSendEmail } from '../../src/steps/send-email.ts';
import { NO_LOG } from '../support/no-log.ts';

describe('send-email', () => {
  let server: SMTPServer;
  let port: number;
  /** How the server takes the next recipients and messages. */
  let refusal: { code: number; at: 'RCPT' | 'DATA'; only?: string } | null;
  const mails: { from: string; to: string[]; content: string; user: unknown }[] = [];

  before(async () => {
    const refuse = (at: 'RCPT' | 'DATA', address?: string) =>
      refusal?.at === at && (refusal.only === undefined || refusal.only === address)
        ? Object.assign(new Error('not now'), { responseCode: refusal.code })
        : null;
    server = new SMTPServer({
      authOptional: true,
      allowInsecureAuth: true,
      disabledCommands: ['STARTTLS'],
      onAuth: ({ username, password }, _session, done) =>
        password === 'right' ? done(null, { user: username ?? '' }) : done(new Error('wrong password')),
      onRcptTo: ({ address }, _session, done) => done(refuse('RCPT', address)),
      onData(stream, { envelope, user }, done) {
        const { mailFrom, rcptTo } = envelope;
        void text(stream).then((content) => {
          const from = mailFrom === false ? '' : mailFrom.address;
          const error = refuse('DATA');
          if (error === null) mails.push({ from, to: rcptTo.map(({ address }) => address), content, user });
          done(error);
        });
      },
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.server.address() as AddressInfo).port;
  });
  beforeEach(() => {
    mails.length = 0;
    refusal = null;
  });
  after((done) => void server.close(() => done()));

  const MAIL = { to: 'ann@example.com', subject: 'Hello', text: 'How are you?' };
  const toolAt = (authority: string) =>
    createSendEmail({ smtpUrl: `smtp://${authority}`, smtpFrom: 'Holdpoint <no-reply@example.com>' });
  const send = (args: JsonObject, tool = toolAt(`127.0.0.1:${port}`), signal = new AbortController().signal) => {
    const context: WorkContext = {
      input: { args },
      reveal: async () => ({ args }),
      ...{ runId: 'r', stepId: 's', visit: 1, attempt: 1, effectKey: 'hp_r_s_1_0', signal, log: NO_LOG },
      openFile: () => Promise.reject(new Error('there are no files here')),
    };
    return tool.handler(args, context) as Promise<Json>;
  };
  const failure = async (...args: Parameters<typeof send>): Promise<StepError> => {
    const error: unknown = await send(...args).then(
      () => null,
      (reason) => reason,
    );
    if (error instanceof StepError) return error;
    throw error ?? new Error('it was sent');
  };

  it('sends one message, whose id is the effect key’s, to everybody it names', async () => {
    const output = await send({
      ...MAIL,
      to: ['Ann <ann@example.com>'],
      cc: 'bob@example.com, cy@example.com',
      bcc: 'dee@example.com',
      html: '<p>How?</p>',
    });
    expect(output).to.deep.equal({
      messageId: '<hp_r_s_1_0@holdpoint>',
      accepted: ['ann@example.com', 'bob@example.com', 'cy@example.com', 'dee@example.com'],
      rejected: [],
    });
    expect(mails).to.have.length(1);
    const { from, content } = mails[0]!;
    expect(from).to.equal('no-reply@example.com');
    for (const part of [
      'From: Holdpoint <no-reply@example.com>',
      'To: Ann <ann@example.com>',
      'Subject: Hello',
      'Message-ID: <hp_r_s_1_0@holdpoint>',
      'How are you?',
      '<p>How?</p>',
    ])
      expect(content).to.include(part);
    expect(content).not.to.include('dee@example.com');
  });

  it('logs in as its address says', async () => {
    await send({ ...MAIL, from: 'me@example.com', replyTo: 'you@example.com' }, toolAt(`ann:right@127.0.0.1:${port}`));
    expect(mails[0]).to.include({ user: 'ann', from: 'me@example.com' });
    expect(mails[0]!.content).to.include('Reply-To: you@example.com');
    const refused = await failure(MAIL, toolAt(`ann:wrong@127.0.0.1:${port}`));
    expect(refused).to.include({ code: 'smtp_535', retryable: false });
    expect(refused.message).not.to.include('wrong@');
  });

  it('may be tried again after a 4xx, and not after a 5xx', async () => {
    for (const at of ['RCPT', 'DATA'] as const) {
      refusal = { code: 451, at };
      expect(await failure(MAIL)).to.include({ code: 'smtp_451', retryable: true });
      refusal = { code: 550, at };
      expect(await failure(MAIL)).to.include({ code: 'smtp_550', retryable: false });
    }
    expect(mails).to.deep.equal([]);
  });

  it('says who was not accepted', async () => {
    refusal = { code: 550, at: 'RCPT', only: 'bob@example.com' };
    expect(await send({ ...MAIL, cc: 'bob@example.com' })).to.deep.include({
      accepted: ['ann@example.com'],
      rejected: ['bob@example.com'],
    });
  });

  it('may be tried again when there is no mail server to talk to, or the step is given up', async () => {
    expect(await failure(MAIL, toolAt('127.0.0.1:1'))).to.include({ code: 'connection_failed', retryable: true });
    expect(await failure(MAIL, undefined, AbortSignal.abort())).to.include({ retryable: true });
  });

  it('cannot be made to send other headers, to more people, or files', async () => {
    for (const bad of [
      { subject: 'a\r\nBcc: eve@example.com' },
      { to: 'ann@example.com\nBcc: eve@example.com' },
      { replyTo: 'a\rb' },
    ])
      expect(await failure({ ...MAIL, ...bad }), JSON.stringify(bad)).to.include({
        code: 'invalid_message',
        retryable: false,
      });
    expect(await failure({ ...MAIL, to: Array(101).fill('a@example.com') })).to.include({ code: 'invalid_message' });
    expect(await failure({ ...MAIL, to: 'nobody' })).to.include({ retryable: false });
    const { properties, additionalProperties } = toolAt('x').input as {
      properties: JsonObject;
      additionalProperties: boolean;
    };
    expect(additionalProperties).to.equal(false);
    expect(Object.keys(properties)).to.have.members(['to', 'cc', 'bcc', 'from', 'replyTo', 'subject', 'text', 'html']);
    await send({ ...MAIL, text: '{"path": "/etc/passwd"}' });
    expect(mails).to.have.length(1);
  });

  it('is refused when a definition is saved, if no mail could be sent', async () => {
    const none = createSendEmail({ smtpUrl: null, smtpFrom: null });
    expect(none.check!(MAIL).map(({ hint }) => hint)).to.deep.equal([
      'This server has no mail server: its operator has to set SMTP_URL and SMTP_FROM',
    ]);
    expect(await failure(MAIL, none)).to.include({ code: 'no_mail_server', retryable: false });
    const nameless = createSendEmail({ smtpUrl: 'smtp://mail.example.com', smtpFrom: null });
    expect(nameless.check!({ to: 'a@example.com', subject: 'x' }).map(({ pointer }) => pointer)).to.deep.equal([
      '/from',
      '/text',
    ]);
    expect(nameless.check!({ ...MAIL, from: 'a@example.com' })).to.deep.equal([]);
  });
});
