// The verbs of a workspace's pods: make one, change its name or slug, delete one in which there is nothing. The default pod
// keeps its slug and stays.

import { v7 as newId } from 'uuid';
import { AppError } from '../core/errors.ts';
import type { Actor } from '../core/run.ts';
import { recordChange } from '../store/audit.ts';
import { deletePod, findPod, insertPod, type PodRow, updatePod } from '../store/pods.ts';
import { slugOf } from './create-definition.ts';
import type { Engine } from './engine.ts';

interface PodRequest {
  actor: Actor;
  /** Id of the pod. */
  id: string;
}

type Db = Pick<Engine, 'db'>;

/**
 * Without a `slug` one is made from the name. `id`: of the request, where it may be made again: what it made before is
 * answered. Throws `conflict` when another pod has the slug.
 */
export async function createPod(
  { db }: Db,
  {
    actor,
    name,
    slug = slugOf(name, 'pod'),
    id = newId(),
  }: Partial<PodRequest> & { actor: Actor; name: string; slug?: string },
): Promise<PodRow> {
  const { workspaceId, userId } = actor;
  await recordChange(db, actor, {
    change: (connection) => insertPod(connection, { id, workspaceId, slug, name, createdBy: userId }),
    tell: (isNew) => (isNew ? { action: 'pod.created', id, name, detail: { slug } } : null),
  });
  const row = await findPod(db, { workspaceId, idOrSlug: id });
  if (row === null) throw slugTaken();
  return row;
}

/** Throws `not_found`, and `conflict` when another pod has the slug, or this one keeps its own. */
export async function changePod(
  { db }: Db,
  { actor, id, ...change }: PodRequest & { name?: string; slug?: string },
): Promise<PodRow> {
  const { workspaceId } = actor;
  const known = await findPod(db, { workspaceId, idOrSlug: id });
  if (known === null) throw podNotFound();
  if (id === workspaceId && change.slug !== undefined && change.slug !== known.slug)
    throw new AppError('conflict', 'the default pod keeps its slug; leave it out to change the name');
  const row = await recordChange(db, actor, {
    change: (connection) => updatePod(connection, { workspaceId, id, ...change }),
    tell: (row) => row && { action: 'pod.updated', id, name: row.name, detail: change },
  });
  if (row === null) throw slugTaken();
  return row;
}

/** Throws `not_found`, and `conflict` for one in which there is something, and for the default one. */
export async function endPod({ db }: Db, { actor, id }: PodRequest): Promise<void> {
  const { workspaceId } = actor;
  if (id === workspaceId) throw new AppError('conflict', 'the default pod cannot be deleted');
  const done = await recordChange(db, actor, {
    change: (connection) => deletePod(connection, { workspaceId, id }),
    tell: (done) => (done === 'deleted' ? { action: 'pod.deleted', id } : null),
  });
  if (done === 'in_use')
    throw new AppError(
      'conflict',
      'the pod is not empty: delete its workflows for ever first, and wait until their runs are removed',
    );
  if (done === 'unknown') throw podNotFound();
}

function podNotFound(): AppError {
  return new AppError('not_found', 'no pod here has this id or slug');
}

function slugTaken(): AppError {
  return new AppError('conflict', 'another pod of the workspace has this slug; choose a different one');
}
