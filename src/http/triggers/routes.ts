// What starts executions by itself (API.md §3): the schedules and inbound webhooks of a pod, and the address that messages
// are sent to. URLs and bodies into engine verbs and store reads; what may be sent is schemas.ts and the words of the answers
// are present.ts. That `:wId` and `:podId` are the caller's has been seen to by the dispatcher.

import { AppError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import { listFireTimes } from '../../core/schedules.ts';
import type { Engine } from '../../engine/engine.ts';
import {
  changeInboundWebhook,
  createInboundWebhook,
  endInboundWebhook,
  rotateWebhookSecret,
} from '../../engine/inbound-webhooks.ts';
import { admitMessage, takeMessage } from '../../engine/receive-message.ts';
import { changeSchedule, createSchedule, endSchedule, runSchedule } from '../../engine/schedules.ts';
import { isUuid } from '../../store/definitions.ts';
import { findInboundWebhook, type InboundWebhookRow, listInboundWebhooks } from '../../store/inbound-webhooks.ts';
import { findSchedule, listSchedules, type ScheduleRow } from '../../store/schedules.ts';
import { locateInput } from '../errors.ts';
import { listOf } from '../json-schema.ts';
import { answerPage, type PageQuery } from '../page.ts';
import { defineRoute, type Face, type Reply, type Route, type RouteRequest } from '../route.ts';
import { presentStatusError, statusError } from '../status-error.ts';
import * as present from './present.ts';
import * as schemas from './schemas.ts';

const POD = '/workspaces/:wId/pods/:podId';
const SCHEDULES = `${POD}/schedules`;
const WEBHOOKS = `${POD}/webhooks`;
const TRIGGER = '/v1/webhooks/:id/trigger';

const SCHEDULES_TAG = 'Schedules';
const WEBHOOKS_TAG = 'Inbound webhooks';

const SHOWN_FIRES = 5;
const DAY_MS = 86_400_000;

export function createTriggersFace(engine: Engine): Face {
  const routes = [...scheduleRoutes(engine), ...webhookRoutes(engine)];
  return {
    name: 'triggers',
    // What is below `/workspaces` is another face's, whose errors look the same.
    prefixes: ['/v1/webhooks'],
    // The product this face speaks to has the same API under both prefixes.
    routes: [...routes.flatMap((route) => [route, { ...route, path: `/v1${route.path}` }]), triggerRoute(engine)],
    presentError: presentStatusError,
    errorSchema: statusError,
  };
}

const FULL = { description: 'The workflow is archived, or the workspace has as many as it may.' };
const NO_WORKFLOW = { description: 'The pod has no such workflow, or the workflow no such version.' };

function scheduleRoutes(engine: Engine): Route[] {
  const show = (row: ScheduleRow): JsonObject =>
    present.presentSchedule(row, row.enabled ? listFireTimes(row, engine.clock.now(), SHOWN_FIRES) : []);
  const shows = (description: string) => ({ description, schema: present.scheduleAnswer });

  return [
    defineRoute({
      method: 'GET',
      path: SCHEDULES,
      role: 'viewer',
      query: schemas.pageQuery,
      tag: SCHEDULES_TAG,
      summary: 'Lists the schedules of a pod, newest first',
      responses: { 200: { description: 'A page of schedules.', schema: listOf(present.scheduleSummaryAnswer) } },
      examples: schemas.listSchedulesExamples,
      async handler({ actor, params, query, reader }: RouteRequest<PageQuery>): Promise<Reply> {
        return answerPage(actor.workspaceId, query, {
          list: (page) => listSchedules(reader, { ...page, podId: params['podId']! }),
          idOf: readId,
          present: present.presentScheduleSummary,
        });
      },
    }),
    defineRoute({
      method: 'POST',
      path: SCHEDULES,
      role: 'admin',
      body: schemas.scheduleBody,
      tag: SCHEDULES_TAG,
      summary: 'Starts a workflow of the pod by the clock',
      description:
        'Each time starts one run, however many workers there are, also when one of them dies over it. Runs have the rights ' +
        'and the name of whoever made the schedule, and see `context.schedule` (`id`, `name`, `time`). When the clocks change, ' +
        'a time of day that is skipped fires once, right after the gap, and one that comes twice fires the first time only; ' +
        'patterns with `*` or a step in minute or hour go on by the time that has passed.',
      successStatus: 201,
      responses: { 201: shows('The schedule.'), 404: NO_WORKFLOW, 409: FULL },
      examples: schemas.createScheduleExamples,
      async handler(request: RouteRequest<unknown, schemas.ScheduleBody>): Promise<Reply> {
        const { actor, params, body, idempotencyId } = request;
        const wanted = { actor, idempotencyId, podId: params['podId']!, request: withVersion(body) };
        const row = await createSchedule(engine, wanted).catch(locateInput('/input'));
        return { status: 201, body: show(row) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: `${SCHEDULES}/:id`,
      role: 'viewer',
      tag: SCHEDULES_TAG,
      summary: 'A schedule, with its next times and what became of the last',
      responses: { 200: shows('The schedule.') },
      examples: schemas.showScheduleExamples,
      async handler(request: RouteRequest): Promise<Reply> {
        const row = await findSchedule(request.reader, refOf(request, 'schedule'));
        if (row === null) throw notFound('schedule');
        return { body: show(row) };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: `${SCHEDULES}/:id`,
      role: 'admin',
      body: schemas.scheduleChangeBody,
      tag: SCHEDULES_TAG,
      summary: 'Changes a schedule; `enabled: false` pauses it',
      description:
        'Only the keys that are sent. With another pattern or zone, and when it is enabled again, it counts from now on.',
      responses: { 200: shows('The schedule as it is now.'), 409: FULL },
      examples: schemas.changeScheduleExamples,
      async handler(request: RouteRequest<unknown, schemas.ScheduleChangeBody>): Promise<Reply> {
        const change = withVersion(request.body);
        const changed = changeSchedule(engine, namedBy(request, 'schedule'), change);
        return { body: show(await changed.catch(locateInput('/input'))) };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: `${SCHEDULES}/:id`,
      role: 'admin',
      tag: SCHEDULES_TAG,
      summary: 'Deletes a schedule; runs that it has started go on',
      successStatus: 204,
      responses: { 204: { description: 'It is gone.' } },
      examples: schemas.deleteScheduleExamples,
      async handler(request: RouteRequest): Promise<Reply> {
        await endSchedule(engine, namedBy(request, 'schedule'));
        return { status: 204, body: null };
      },
    }),
    defineRoute({
      method: 'POST',
      path: `${SCHEDULES}/:id/run`,
      role: 'editor',
      isStart: true,
      body: schemas.nothing,
      tag: SCHEDULES_TAG,
      summary: 'Starts a run of a schedule now, in the caller’s name',
      description: 'Also while it is paused, and beside a run that is not over. Its times stay as they are.',
      successStatus: 201,
      responses: {
        201: { description: 'The execution.', schema: present.startedAnswer },
        409: { description: 'The workflow is archived.' },
      },
      examples: schemas.runScheduleExamples,
      async handler(request: RouteRequest): Promise<Reply> {
        const started = await runSchedule(engine, namedBy(request, 'schedule'));
        return { status: 201, body: present.presentStarted(started) };
      },
    }),
  ];
}

function webhookRoutes(engine: Engine): Route[] {
  const publicUrl = () => engine.hooks?.settings.publicUrl ?? '';
  const shows = (description: string) => ({ description, schema: present.webhookAnswer });

  return [
    defineRoute({
      method: 'GET',
      path: WEBHOOKS,
      role: 'viewer',
      query: schemas.pageQuery,
      tag: WEBHOOKS_TAG,
      summary: 'Lists the inbound webhooks of a pod, newest first',
      responses: { 200: { description: 'A page of webhooks.', schema: listOf(present.webhookAnswer) } },
      examples: schemas.listWebhooksExamples,
      async handler({ actor, params, query, reader }: RouteRequest<PageQuery>): Promise<Reply> {
        return answerPage(actor.workspaceId, query, {
          list: (page) => listInboundWebhooks(reader, { ...page, podId: params['podId']! }),
          idOf: readId,
          present: (row: InboundWebhookRow) => present.presentWebhook(row, publicUrl()),
        });
      },
    }),
    defineRoute({
      method: 'POST',
      path: WEBHOOKS,
      role: 'admin',
      body: schemas.webhookBody,
      tag: WEBHOOKS_TAG,
      summary: 'Makes an address that starts a workflow of the pod',
      description:
        'Whoever sends there signs with the `secret`, which is made here unless one is given, and shown this once. Without a ' +
        'secret anybody could start runs who learns the address: that takes `public: true`.',
      successStatus: 201,
      responses: {
        201: { description: 'The webhook, with its secret.', schema: present.newWebhookAnswer },
        404: NO_WORKFLOW,
        409: { description: 'As for schedules; or the server keeps no secrets.' },
      },
      examples: schemas.createWebhookExamples,
      async handler(request: RouteRequest<unknown, schemas.WebhookBody>): Promise<Reply> {
        const { actor, params, body, idempotencyId } = request;
        const wanted = { actor, podId: params['podId']!, request: withVersion(body), idempotencyId };
        const { row, secret } = await createInboundWebhook(engine, wanted);
        const shown = { ...present.presentWebhook(row, publicUrl()), secret };
        return { status: 201, body: shown, shownOnce: ['secret'] };
      },
    }),
    defineRoute({
      method: 'GET',
      path: `${WEBHOOKS}/:id`,
      role: 'viewer',
      tag: WEBHOOKS_TAG,
      summary: 'An inbound webhook, without its secret',
      responses: { 200: shows('The webhook.') },
      examples: schemas.showWebhookExamples,
      async handler(request: RouteRequest): Promise<Reply> {
        const row = await findInboundWebhook(request.reader, refOf(request, 'inbound webhook'));
        if (row === null) throw notFound('inbound webhook');
        return { body: present.presentWebhook(row, publicUrl()) };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: `${WEBHOOKS}/:id`,
      role: 'admin',
      body: schemas.webhookChangeBody,
      tag: WEBHOOKS_TAG,
      summary: 'Changes an inbound webhook; `enabled: false` stops it',
      responses: { 200: shows('The webhook as it is now.'), 409: { description: 'The workflow is archived.' } },
      examples: schemas.changeWebhookExamples,
      async handler(request: RouteRequest<unknown, schemas.WebhookChangeBody>): Promise<Reply> {
        const change = withVersion(request.body);
        const row = await changeInboundWebhook(engine, namedBy(request, 'inbound webhook'), change);
        return { body: present.presentWebhook(row, publicUrl()) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: `${WEBHOOKS}/:id/rotate`,
      role: 'admin',
      body: schemas.rotateBody,
      tag: WEBHOOKS_TAG,
      summary: 'Gives an inbound webhook another secret',
      description:
        'The one before counts for `graceMs` more, so that senders can change over without losing a message.',
      responses: {
        200: { description: 'The webhook, with its new secret.', schema: present.newWebhookAnswer },
        409: { description: 'It is public, or the server keeps no secrets.' },
      },
      examples: schemas.rotateExamples,
      async handler(request: RouteRequest<unknown, schemas.RotateBody>): Promise<Reply> {
        const named = namedBy(request, 'inbound webhook');
        const { row, secret } = await rotateWebhookSecret(engine, { graceMs: DAY_MS, ...request.body, ...named });
        return { body: { ...present.presentWebhook(row, publicUrl()), secret }, shownOnce: ['secret'] };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: `${WEBHOOKS}/:id`,
      role: 'admin',
      tag: WEBHOOKS_TAG,
      summary: 'Deletes an inbound webhook; runs that it has started go on',
      successStatus: 204,
      responses: { 204: { description: 'It is gone.' } },
      examples: schemas.deleteWebhookExamples,
      async handler(request: RouteRequest): Promise<Reply> {
        await endInboundWebhook(engine, namedBy(request, 'inbound webhook'));
        return { status: 204, body: null };
      },
    }),
  ];
}

const SIGNATURE = {
  'Webhook-Id': {
    description: 'A name of the message: sent again, it starts nothing more.',
    schema: { type: 'string' },
  },
  'Webhook-Timestamp': {
    description: 'Seconds since 1970, at most five minutes from now.',
    schema: { type: 'string' },
  },
  'Webhook-Signature': { description: 'By the Standard Webhooks specification: `v1,…`.', schema: { type: 'string' } },
  'X-Webhook-Signature': {
    description: 'In its place: `sha256=` and the HMAC-SHA256 of the body under the secret, in hex.',
    schema: { type: 'string' },
  },
  'X-Hub-Signature-256': { description: 'The same, as GitHub sends it.', schema: { type: 'string' } },
  'X-GitHub-Delivery': { description: 'In the place of `Webhook-Id`.', schema: { type: 'string' } },
};

function triggerRoute(engine: Engine): Route {
  return defineRoute({
    method: 'POST',
    path: TRIGGER,
    role: 'public',
    body: schemas.messageBody,
    keepsText: true,
    headers: SIGNATURE,
    tag: WEBHOOKS_TAG,
    summary: 'Takes a message, and starts a run with its body as the input',
    description:
      'Signed by the [Standard Webhooks](https://www.standardwebhooks.com) specification, or with `X-Webhook-Signature`, which ' +
      'proves who wrote the body but not when. A `Webhook-Id` starts one run, however often it comes; with `dedupe: "body"` a body ' +
      'does.',
    successStatus: 201,
    responses: {
      201: { description: 'The execution; the same again for the same message.', schema: present.startedAnswer },
      401: { description: 'The signature is missing, wrong or too old.' },
      404: { description: 'There is no such webhook.' },
      409: { description: 'The webhook is disabled, or its workflow archived.' },
      429: { description: 'Too many messages to this webhook, or too many wrong signatures from this address.' },
    },
    examples: schemas.triggerExamples,
    async handler({ params, body, text, header, gate }: RouteRequest<unknown, JsonObject>): Promise<Reply> {
      const admitted = await gate.admit(() => admitMessage(engine, { id: params['id']!, body: text, header }));
      await gate.countStart(`webhook:${admitted.webhook.id}`);
      return { status: 201, body: present.presentStarted(await takeMessage(engine, admitted, body)) };
    },
  });
}

function readId({ id }: { id: string }): string {
  return id;
}

/** What a change names, and whose it is. */
function namedBy(request: Pick<RouteRequest, 'actor' | 'params' | 'idempotencyId'>, what: string) {
  const { podId, id } = refOf(request, what);
  return { actor: request.actor, idempotencyId: request.idempotencyId, podId, id };
}

/** What the path names; an id that could be nobody's is not looked for. */
function refOf({ actor, params }: Pick<RouteRequest, 'actor' | 'params'>, what: string) {
  const id = params['id']!;
  if (!isUuid(id)) throw notFound(what);
  return { workspaceId: actor.workspaceId, podId: params['podId']!, id: id.toLowerCase() };
}

function notFound(what: string): AppError {
  return new AppError('not_found', `no ${what} here has this id`);
}

/** A version may be sent as a number, and is kept as the selector that it stands for. */
function withVersion<Body extends { version?: string | number }>({
  version,
  ...rest
}: Body): Omit<Body, 'version'> & { version?: string } {
  return version === undefined ? rest : { ...rest, version: String(version) };
}
