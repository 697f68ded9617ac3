// What the audit log of a workspace tells of: every change outside runs, and attempts that were refused at its door. Words
// only; runs have a history of their own (core/events.ts).

import type { JsonObject } from './json.ts';

/** `<kind of object>.<what was done>`. A secret's entry has its name, a key's its id: never what is secret about them. */
export const AUDIT_ACTIONS = [
  'workspace.created',
  'workspace.updated',
  'pod.created',
  'pod.updated',
  'pod.deleted',
  'workflow.created',
  'workflow.cloned',
  'workflow.updated',
  'workflow.published',
  'workflow.archived',
  'workflow.unarchived',
  'workflow.deleted',
  'member.added',
  'member.changed',
  'member.removed',
  'api_key.created',
  'api_key.revoked',
  'signing_key.created',
  'signing_key.revoked',
  'secret.created',
  'secret.updated',
  'secret.deleted',
  'webhook.created',
  'webhook.deleted',
  'webhook.disabled',
  'webhook.enabled',
  'webhook.redelivered',
  'schedule.created',
  'schedule.updated',
  'schedule.deleted',
  'inbound_webhook.created',
  'inbound_webhook.updated',
  'inbound_webhook.rotated',
  'inbound_webhook.deleted',
  'tenant.refused',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** One change, as whoever made it tells it; who that was is known from the actor. */
export interface AuditEntry {
  action: AuditAction;
  /** Of the object: an id, or what it goes by where it has none. */
  id: string;
  name?: string;
  detail?: JsonObject;
}
