// The life of a workflow, as one pure function: `decidePublishing(state, command, now)` answers what a definition and its
// versions become, or why not. Legality is data (ACCEPTS), and `workflowStatus` is the only place where a workflow's
// status is derived. Knows nothing of what a definition says, and nothing of its runs.

import { type Refusal, refuse } from './refusal.ts';

/** `published`: it was published since the workflow was last a draft; which one counts is `publishedVersion`. */
export type VersionStatus = 'draft' | 'testing' | 'published';
export type WorkflowStatus = VersionStatus | 'archived';

export interface Publishing {
  latestVersion: number;
  /** Status of the latest version, not of the workflow. */
  latestStatus: VersionStatus;
  publishedVersion: number | null;
  /** Epoch milliseconds. */
  archivedAt: number | null;
}

export type PublishingCommand =
  /** Adds a version; refused when `expected` is given and is no longer the latest. */
  | { type: 'update'; status: 'draft' | 'testing'; expected?: number }
  | { type: 'publish'; version: number }
  | { type: 'archive' }
  | { type: 'unarchive' }
  /** For ever. Whether runs stand in the way is the store's to see. */
  | { type: 'delete' };

export interface PublishingDecision {
  kind: 'accepted';
  /** Null when the workflow is gone. */
  next: Publishing | null;
  /** The versions that get another status; null when none does, but a new one, which has `next.latestStatus`. */
  mark: { version: number | 'all'; status: VersionStatus } | null;
}

export type PublishingVerdict = PublishingDecision | { kind: 'already' } | Refusal;

type Legality = 'accept' | 'already' | 'refused';

const WHILE_USED = { draft: 'accept', testing: 'accept', published: 'accept', archived: 'refused' } as const;
const WHILE_ARCHIVED = { draft: 'refused', testing: 'refused', published: 'refused', archived: 'accept' } as const;

/** Which commands a workflow takes in which status. */
export const ACCEPTS: Readonly<Record<PublishingCommand['type'], Readonly<Record<WorkflowStatus, Legality>>>> = {
  update: WHILE_USED,
  publish: WHILE_USED,
  archive: { ...WHILE_USED, archived: 'already' },
  unarchive: WHILE_ARCHIVED,
  delete: WHILE_ARCHIVED,
};

/** Archived; else published if any version is; else what the latest version is. */
export function workflowStatus({ archivedAt, publishedVersion, latestStatus }: Publishing): WorkflowStatus {
  if (archivedAt !== null) return 'archived';
  return publishedVersion === null ? latestStatus : 'published';
}

/** What `command` does to the workflow at `now`; refusals and repeats change nothing. */
export function decidePublishing(state: Publishing, command: PublishingCommand, now: number): PublishingVerdict {
  const legality = ACCEPTS[command.type][workflowStatus(state)];
  if (legality === 'already') return { kind: 'already' };
  if (legality === 'refused') return refuseCommand(command, state);
  const { latestVersion, latestStatus, publishedVersion, archivedAt } = state;
  const unchanged: Publishing = { latestVersion, latestStatus, publishedVersion, archivedAt };
  switch (command.type) {
    case 'update':
      if (command.expected !== undefined && command.expected !== latestVersion) return refuseLostUpdate();
      return accept({ ...unchanged, latestVersion: latestVersion + 1, latestStatus: command.status });
    case 'publish': {
      const { version } = command;
      if (version < 1 || version > latestVersion)
        return refuse('version_not_found', 'the workflow has no such version');
      if (version === publishedVersion) return { kind: 'already' };
      const status = version === latestVersion ? 'published' : latestStatus;
      const mark = { version, status: 'published' as const };
      return accept({ ...unchanged, latestStatus: status, publishedVersion: version }, mark);
    }
    case 'archive':
      return accept({ ...unchanged, archivedAt: now });
    case 'unarchive': {
      const mark = { version: 'all' as const, status: 'draft' as const };
      return accept({ latestVersion, latestStatus: 'draft', publishedVersion: null, archivedAt: null }, mark);
    }
    case 'delete':
      return accept(null);
  }
}

function accept(next: Publishing | null, mark: PublishingDecision['mark'] = null): PublishingDecision {
  return { kind: 'accepted', next, mark };
}

function refuseCommand({ type }: PublishingCommand, { archivedAt }: Publishing): Refusal {
  if (archivedAt !== null) return refuse('workflow_archived', 'the workflow is archived; unarchive it first');
  const advice = type === 'unarchive' ? 'there is nothing to take back' : 'archive it first';
  return refuse('conflict', `the workflow is not archived; ${advice}`);
}

function refuseLostUpdate(): Refusal {
  const message = 'the workflow has a newer version than If-Match names; read it and apply your change to that';
  return refuse('version_changed', message);
}
