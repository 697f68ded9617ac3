// The verbs of a workspace's pods: make one, change its name or slug, delete one in which there is nothing. The default pod
// keeps its slug and stays.

import { v7 as newId } from 'uuid';
import { AppError } from '../core/errors.ts';
import { recordChange } from '../store/audit.ts';
import { deletePod, findPod, insertPod, type PodRow, updatePod } from '../store/pods.ts';
import { slugOf } from './create-definition.ts';
import type { Engine } from './engine.ts';
import { type OnceRequest, recordOnce } from './record-once.ts';

interface PodRequest extends OnceRequest {
  /** Id or slug; its slug before, where the same request has changed it. */
  pod: string;
}

type Db = Pick<Engine, 'db'>;

/** Without a `slug` one is made from the name. Throws `conflict` when another pod has the slug. */
export function createPod(
  { db }: Db,
  { name, slug = slugOf(name, 'pod'), ...request }: OnceRequest & { name: string; slug?: string },
): Promise<PodRow> {
  const { actor, idempotencyId: commandId } = request;
  const { workspaceId, userId } = actor;
  const id = commandId ?? newId();
  const change = async () => {
    const isNew = await recordChange(db, actor, {
      change: (connection) => insertPod(connection, { id, workspaceId, slug, name, createdBy: userId }),
      tell: (isNew) => (isNew ? { action: 'pod.created', id, name, detail: { slug } } : null),
      commandId,
    });
    if (!isNew) throw slugTaken();
    return getPod(db, { workspaceId, idOrSlug: id });
  };
  return recordOnce({ db }, request, { change, again: () => getPod(db, { workspaceId, idOrSlug: id }) });
}

/** Throws `not_found`, and `conflict` when another pod has the slug, or this one keeps its own. */
export function changePod(
  { db }: Db,
  { pod, name, slug, ...request }: PodRequest & { name?: string; slug?: string },
): Promise<PodRow> {
  const { actor, idempotencyId: commandId } = request;
  const { workspaceId } = actor;
  const wanted = { ...(name === undefined ? {} : { name }), ...(slug === undefined ? {} : { slug }) };
  const change = async () => {
    const { id, slug: before } = await getPod(db, { workspaceId, idOrSlug: pod });
    if (id === workspaceId && slug !== undefined && slug !== before)
      throw new AppError('conflict', 'the default pod keeps its slug; leave it out to change the name');
    const row = await recordChange(db, actor, {
      change: (connection) => updatePod(connection, { workspaceId, id, ...wanted }),
      tell: (row) => row && { action: 'pod.updated', id, name: row.name, detail: wanted },
      commandId,
    });
    if (row === null) throw slugTaken();
    return row;
  };
  return recordOnce({ db }, request, { change, again: (_, id) => getPod(db, { workspaceId, idOrSlug: id }) });
}

/** Throws `not_found`, and `conflict` for one in which there is something, and for the default one. */
export function endPod({ db }: Db, { pod, ...request }: PodRequest): Promise<void> {
  const { actor, idempotencyId: commandId } = request;
  const { workspaceId } = actor;
  const change = async () => {
    const { id } = await getPod(db, { workspaceId, idOrSlug: pod });
    if (id === workspaceId) throw new AppError('conflict', 'the default pod cannot be deleted');
    const done = await recordChange(db, actor, {
      change: (connection) => deletePod(connection, { workspaceId, id }),
      tell: (done) => (done === 'deleted' ? { action: 'pod.deleted', id } : null),
      commandId,
    });
    if (done === 'in_use')
      throw new AppError(
        'conflict',
        'the pod is not empty: delete its workflows for ever first, and wait until their runs are removed',
      );
    if (done === 'unknown') throw podNotFound();
  };
  return recordOnce({ db }, request, { change, again: () => {} });
}

async function getPod(db: Db['db'], named: { workspaceId: string; idOrSlug: string }): Promise<PodRow> {
  const row = await findPod(db, named);
  if (row === null) throw podNotFound();
  return row;
}

function podNotFound(): AppError {
  return new AppError('not_found', 'no pod here has this id or slug');
}

function slugTaken(): AppError {
  return new AppError('conflict', 'another pod of the workspace has this slug; choose a different one');
}
