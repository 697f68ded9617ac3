// The check that every test of what must survive ends with: the invariants of GUARANTEES §5 on what is stored, queued and
// was acknowledged.

import { findJobViolations, findMissingRuns, findViolations, type Violation } from '../../src/store/invariants.ts';
import { eventually } from './eventually.ts';
import type { Receiver } from './receiver.ts';
import type { World } from './world.ts';

/** Throws with every violation. */
export async function checkInvariants(world: Pick<World, 'db' | 'jobs'>, acknowledged: string[] = []): Promise<void> {
  await checkStored(world, acknowledged);
  await eventually(async () => refuse(await findJobViolations(world.db, await world.jobs())));
}

/** The same without the queue: jobs of a killed worker outlive their step run until BullMQ finds them stalled. */
export async function checkStored(world: Pick<World, 'db'>, acknowledged: string[] = []): Promise<void> {
  refuse([...(await findViolations(world.db)), ...(await findMissingRuns(world.db, acknowledged))]);
}

function refuse(found: Violation[]): true {
  if (found.length > 0) throw new Error(`invariants are broken:\n${JSON.stringify(found, null, 2)}`);
  return true;
}

/** I12: every effect happened, and no key stands for two step runs. */
export async function checkEffects(world: Pick<World, 'db'>, receiver: Receiver): Promise<void> {
  const { rows } = await world.db.pool.query<{ key: string }>(
    `SELECT format('hp_%s_%s_%s_%s', run_id, step_id, visit, epoch) AS key FROM step_runs WHERE status = 'completed' AND tool = 'effect'`,
  );
  const effects = receiver.effects();
  const missing = rows.filter(({ key }) => !effects.has(key));
  if (missing.length > 0) throw new Error(`completed without their effect: ${JSON.stringify(missing)}`);
}
