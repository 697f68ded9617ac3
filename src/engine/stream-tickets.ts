// Tickets: what opens the live stream of one run, once and soon, for a browser whose EventSource can send no headers. A ticket
// stands for the credential it was asked with: what ends that one ends the stream.

import { createHash, randomBytes } from 'node:crypto';
import type { Actor } from '../core/run.ts';
import { listLapsedHolders } from '../store/holders.ts';
import { deleteTicket, insertTicket, type TicketHolder } from '../store/stream-tickets.ts';
import type { Engine } from './engine.ts';

/** Long enough to be carried from one request to the next. */
const LIFETIME_MS = 60_000;
const BYTES = 32;
const TICKET = /^st_[A-Za-z0-9_-]{43}$/;

/** A ticket for a run that the actor may read; `expiresAt` is epoch milliseconds. */
export async function issueTicket(
  { db, clock }: Engine,
  { actor, runId }: { actor: Actor; runId: string },
): Promise<{ ticket: string; expiresAt: number }> {
  const ticket = `st_${randomBytes(BYTES).toString('base64url')}`;
  const expiresAt = clock.now() + LIFETIME_MS;
  const { workspaceId, userId, keyId = '', endsAt = null } = actor;
  await insertTicket(db, { hash: hash(ticket), runId, workspaceId, userId, keyId, endsAt, expiresAt });
  return { ticket, expiresAt };
}

/** Whom the ticket lets in, or null when it opens this run no more, or never did; it opens nothing from now on. */
export async function redeemTicket(
  { db }: Pick<Engine, 'db'>,
  { ticket, runId }: { ticket: string; runId: string },
): Promise<TicketHolder | null> {
  if (!TICKET.test(ticket)) return null;
  const holder = await deleteTicket(db, { hash: hash(ticket), runId });
  if (holder === null || (await listLapsedHolders(db, [holder])).length > 0) return null;
  return holder;
}

function hash(ticket: string): Buffer {
  return createHash('sha256').update(ticket).digest();
}
