// A run's events as a live stream (server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html): where a
// reader was, frames as text, and an answer that goes on. Which events say something, and what, is told by the face.

import { Readable } from 'node:stream';
import { AppError } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { FINISHED, type RunStatus } from '../core/run.ts';
import type { EventPage, RunReader } from '../engine/run-reader.ts';
import type { FollowedEvent } from '../store/followed-events.ts';
import type { Reply } from './route.ts';

/** What the face says of an event; null when the event says nothing to it. */
export type PresentEvent = (event: FollowedEvent) => Json;

/** A run as it was when its stream was asked for, and the number of its last event. */
export interface RunHead {
  status: RunStatus;
  seq: number;
}

/** How long a browser waits before it comes again. */
const RETRY_MS = 1_000;
const PING = ': ping\n\n';
const MAX_ID = 15;

export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream; charset=utf-8',
  // Whoever comes again is to be free to come to another process.
  connection: 'close',
  // Proxies that gather answers would hold events back.
  'x-accel-buffering': 'no',
};

/** Schema of the query parameter that stands for the header where a reader can send none. */
export const LAST_EVENT_ID: JsonObject = {
  type: 'string',
  maxLength: MAX_ID,
  description: 'the `id:` of the last event that was read, in the place of the header `Last-Event-ID`',
};

/**
 * The number of the last event that a reader has seen, 0 for none; the header counts more than the query, since a browser
 * sends the same URL again. Throws `invalid_request` when it is no id that the run's stream has given.
 */
export function readLastEventId(header: string, query: string | undefined, { seq }: RunHead): number {
  const id = header || query || '';
  if (id === '') return 0;
  if (!/^\d{1,15}$/.test(id))
    throw refuse(
      'is no id of an event',
      'send the id of the last event that was read, or none to begin with the first',
    );
  if (Number(id) > seq)
    throw refuse(`is ${Number(id)}, and the last event of the run is ${seq}`, 'leave it out to begin with the first');
  return Number(id);
}

function refuse(message: string, hint: string): AppError {
  return new AppError('invalid_request', `Last-Event-ID ${message}; ${hint}`, [
    { pointer: '/lastEventId', message, hint },
  ]);
}

/** Nothing is left to be told: a 204, after which no browser comes again. */
export function isReadToEnd(after: number, { status, seq }: RunHead): boolean {
  return FINISHED.has(status) && after === seq;
}

export const NOTHING_LEFT: Reply = { status: 204, body: null };

/** An answer that lasts until the run is over, or the reader's time. */
export function replyWithEvents(reader: RunReader, present: PresentEvent): Reply {
  // Without room of its own: a page waits for the reader in one place only, and the next is not asked for before.
  const body = Readable.from(writeFrames(reader, present), { objectMode: true, highWaterMark: 0 });
  reader.onCut = () => body.destroy();
  return { headers: STREAM_HEADERS, body };
}

async function* writeFrames(reader: RunReader, present: PresentEvent): AsyncGenerator<string> {
  yield `retry: ${RETRY_MS}\n\n`;
  for await (const page of reader) {
    const text = page.length === 0 ? PING : formatPage(page, present);
    // What says nothing is not sent, so it does not put off the next ping.
    if (text === '') continue;
    reader.hold(2 * text.length);
    yield text;
  }
}

/** Events that say nothing are left out; ids ascend all the same. */
export function formatPage(page: EventPage, present: PresentEvent): string {
  return page.map((event) => formatFrame(event.seq, present(event))).join('');
}

/** JSON has no line ends of its own, so a frame is one line of data. */
function formatFrame(id: number, data: Json): string {
  return data === null ? '' : `id: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}
