// The tool `send-email`: one message through the operator's mail server, by SMTP. The server's address is a setting, so it
// may be an inner one; nobody who writes a definition can choose another.

import type { Transporter } from 'nodemailer';
import type { Problem } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { StepError, type WorkContext } from '../core/step-type.ts';
import { createEgress, type Egress } from '../egress/egress.ts';
import { EgressError } from '../egress/egress-error.ts';
import { defineTool, type Tool } from './tools.ts';

export interface MailSettings {
  /** `smtp://user:password@host:port` or `smtps://…`; null: no mail is sent. */
  smtpUrl: string | null;
  /** Who sends when a step does not say. */
  smtpFrom: string | null;
}

const CONNECT_MS = 10_000;
const TOTAL_MS = 30_000;
const MAX_RECIPIENTS = 100;
const ONE_LINE: JsonObject = { type: 'string', minLength: 1, maxLength: 1_000 };
const RECIPIENTS: JsonObject = {
  type: ['string', 'array'],
  minLength: 3,
  maxLength: 10_000,
  minItems: 1,
  maxItems: MAX_RECIPIENTS,
  items: ONE_LINE,
};
const TEXT: JsonObject = { type: 'string', maxLength: 1_000_000 };
const NO_SERVER = 'This server has no mail server: its operator has to set SMTP_URL and SMTP_FROM';

export function createSendEmail({ smtpUrl, smtpFrom }: MailSettings): Tool {
  /** Made with the first message: the library is large, and most processes never send one. */
  let transport: Promise<Transporter> | null = null;
  return defineTool({
    name: 'send-email',
    description: 'Sends an e-mail and returns its id and who was accepted',
    input: {
      type: 'object',
      properties: {
        ...{ to: RECIPIENTS, cc: RECIPIENTS, bcc: RECIPIENTS, from: ONE_LINE, replyTo: ONE_LINE },
        ...{ subject: ONE_LINE, text: TEXT, html: TEXT },
      },
      required: ['to', 'subject'],
      additionalProperties: false,
    },
    check: (args) => checkMessage(args, { hasServer: smtpUrl !== null, smtpFrom }),
    async handler(_args, context) {
      if (smtpUrl === null) throw new StepError('no_mail_server', NO_SERVER, { retryable: false });
      const { args } = await context.reveal();
      transport ??= openTransport(smtpUrl);
      return sendMessage(await transport, { from: smtpFrom, ...(args as JsonObject) }, context);
    },
  });
}

function checkMessage(
  args: JsonObject,
  { hasServer, smtpFrom }: { hasServer: boolean; smtpFrom: string | null },
): Problem[] {
  const problems: Problem[] = [];
  if (!hasServer) problems.push({ pointer: '', message: 'cannot be sent', hint: NO_SERVER });
  else if (args['from'] === undefined && smtpFrom === null)
    problems.push({ pointer: '/from', message: 'is required', hint: 'or let the operator set SMTP_FROM' });
  if (args['text'] === undefined && args['html'] === undefined)
    problems.push({ pointer: '/text', message: 'is required', hint: 'give the message a text, an html, or both' });
  return problems;
}

/** Connects through the guard: the look-up is bounded and its answers are pinned, and only this host and port are open. */
async function openTransport(smtpUrl: string): Promise<Transporter> {
  const { createTransport } = await import('nodemailer');
  const url = new URL(smtpUrl);
  const secure = url.protocol === 'smtps:';
  const target = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || (secure ? 465 : 587)) };
  const egress: Egress = createEgress({ allow: [`${url.hostname}:${target.port}`], connectMs: CONNECT_MS });
  return createTransport({
    url: smtpUrl,
    getSocket: (_options, callback) => {
      egress.connect(target).then(
        (connection) => callback(null, { connection }),
        (error: Error) => callback(error),
      );
    },
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    socketTimeout: TOTAL_MS,
    // A message is made of what the step says, never of files or pages that it names.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

async function sendMessage(transport: Transporter, message: JsonObject, context: WorkContext): Promise<JsonObject> {
  const { from, to, cc, bcc, replyTo, subject, text, html } = message;
  const recipients = [to, cc, bcc].map((value) => readRecipients(value ?? null));
  if (recipients.flat().length > MAX_RECIPIENTS)
    throw new StepError('invalid_message', `A message has at most ${MAX_RECIPIENTS} recipients`, { retryable: false });
  for (const line of [from, replyTo, subject, ...recipients.flat()])
    if (/[\r\n]/.test(String(line ?? '')))
      throw new StepError('invalid_message', 'Addresses and subject are one line each', { retryable: false });
  try {
    const sent = await transport.sendMail({
      ...{ from: String(from ?? ''), to: recipients[0]!, cc: recipients[1]!, bcc: recipients[2]! },
      ...(replyTo ? { replyTo: String(replyTo) } : {}),
      subject: String(subject),
      ...(text === undefined ? {} : { text: String(text) }),
      ...(html === undefined ? {} : { html: String(html) }),
      // The same for every execution of this attempt, so that a receiver can tell a second one.
      messageId: `<${context.effectKey}@holdpoint>`,
      signal: AbortSignal.any([context.signal, AbortSignal.timeout(TOTAL_MS)]),
    });
    return { messageId: sent.messageId, accepted: toTexts(sent.accepted), rejected: toTexts(sent.rejected) };
  } catch (error) {
    throw toStepError(error);
  }
}

function readRecipients(value: Json): string[] {
  if (value === null) return [];
  return Array.isArray(value) ? value.map(String) : String(value).split(',');
}

function toTexts(addresses: unknown): string[] {
  return Array.isArray(addresses) ? addresses.map(String) : [];
}

/** A reply of 5xx is final (RFC 5321 §4.2.1), and so is a message that could not be made; anything else may pass. */
function toStepError(error: unknown): StepError {
  if (error instanceof EgressError) return new StepError(error.code, error.message, { cause: error });
  const { code, responseCode, response } = error as { code?: unknown; responseCode?: unknown; response?: unknown };
  if (typeof responseCode === 'number' && responseCode > 0) {
    const message = `The mail server answered: ${String(response).slice(0, 300)}`;
    return new StepError(`smtp_${responseCode}`, message, { retryable: responseCode < 500, cause: error });
  }
  if (code === 'EENVELOPE')
    return new StepError('invalid_message', 'The message has no address that mail can be sent to', {
      retryable: false,
    });
  return new StepError('mail_failed', 'The mail server could not be talked to', { cause: error });
}
