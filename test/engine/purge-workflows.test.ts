import { expect } from 'chai';
import { answerRun } from '../../src/engine/answer-run.ts';
import { archiveDefinition, deleteArchivedDefinition } from '../../src/engine/archive-definition.ts';
import { terminateRun } from '../../src/engine/control-run.ts';
import { purgeWorkflows, sweepOrphans } from '../../src/engine/purge-workflows.ts';
import { startSequence } from '../../src/engine/start-sequence.ts';
import { armFailpoints } from '../../src/failpoints.ts';
import { PARTS_OF_RUNS } from '../../src/store/purge.ts';
import { checkStored } from '../support/invariants.ts';
import { APPROVE, ask } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

/** So small that everything takes several steps. */
const BOUNDS = { runs: 3, rows: 4 };

describe('what a deleted workflow leaves', () => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld();
  });
  afterEach(() => world.close());

  const purge = () => purgeWorkflows(world.engine, { bounds: BOUNDS });

  /** A workflow with as many finished runs. */
  async function defineAndRun(count: number): Promise<{ workflow: string; runs: string[] }> {
    const workflow = await world.define({ steps: [ask()] });
    const runs = await Promise.all(Array.from({ length: count }, () => world.start(workflow)));
    await Promise.all(runs.map((runId) => answerRun(world.engine, { actor: world.actor, runId, answer: APPROVE })));
    return { workflow, runs };
  }

  async function deleteForEver(workflow: string): Promise<void> {
    const request = { actor: world.actor, workflow };
    await archiveDefinition(world.engine, request);
    await deleteArchivedDefinition(world.engine, request);
  }

  /** As if it had been deleted long ago. */
  const age = () =>
    query(`UPDATE definitions SET deleted_at = deleted_at - interval '2 hours' WHERE deleted_at IS NOT NULL`);
  const query = (text: string, values: unknown[] = []) => world.db.pool.query(text, values);
  const countOf = async (table: string) => (await query(`SELECT count(*) AS n FROM ${table}`)).rows[0].n;
  const codeOf = (statement: Promise<unknown>) =>
    statement.then(
      () => 'done',
      ({ code }: { code: string }) => code,
    );

  /** How many rows there are of each kind. */
  async function countAll(): Promise<Record<string, number>> {
    const tables = ['definitions', 'definition_versions', 'runs', 'purged_runs', ...PARTS_OF_RUNS];
    return Object.fromEntries(await Promise.all(tables.map(async (table) => [table, await countOf(table)])));
  }

  it('goes in small steps, with all that belongs to its runs, and nobody else’s', async () => {
    await defineAndRun(2);
    const before = await countAll();
    const { workflow } = await defineAndRun(8);
    await deleteForEver(workflow);
    expect(await purge()).to.equal(8);
    expect(await countAll()).to.deep.equal({ ...before, definitions: 2, definition_versions: 2 });
    await age();
    expect(await purge()).to.equal(0);
    expect(await countAll()).to.deep.equal(before);
    await checkStored(world);
  });

  it('is found by nobody from the first moment, and by the next process after a crash', async () => {
    const { workflow, runs } = await defineAndRun(4);
    await deleteForEver(workflow);
    armFailpoints([{ name: 'purge.mid_batch', action: 'throw', ms: 0, nth: 2 }]);
    try {
      expect(await purge().catch(({ message }) => message)).to.equal('failpoint purge.mid_batch');
    } finally {
      armFailpoints([]);
    }
    expect(await countOf('runs')).to.equal(0);
    expect([await countOf('purged_runs'), await countOf('events')].every((count) => count > 0)).to.equal(true);
    const request = { actor: world.actor, runId: runs[0]! };
    expect(await codeOf(terminateRun(world.engine, request))).to.equal('run_not_found');
    await Promise.all([purge(), purge(), purge()]);
    await purge();
    for (const table of ['purged_runs', ...PARTS_OF_RUNS]) expect(await countOf(table), table).to.equal(0);
  });

  it('lets go of its files, which the sweep of files then removes', async () => {
    const { workflow, runs } = await defineAndRun(1);
    await query(
      `INSERT INTO files (id, workspace_id, run_id, filename, content_type, size, sha256, created_by, kept_at)
       VALUES (gen_random_uuid(), $1, $2, 'a.txt', 'text/plain', 1, sha256('a'), 'me', now())`,
      [world.actor.workspaceId, runs[0]],
    );
    await deleteForEver(workflow);
    await purge();
    expect((await query('SELECT kept_at FROM files')).rows).to.deep.equal([{ kept_at: null }]);
  });

  it('keeps its versions for a run that a start under way still made, until that is over', async () => {
    const { workflow } = await defineAndRun(1);
    const runId = await world.start(workflow);
    await query('UPDATE definitions SET archived_at = now(), deleted_at = now()');
    await age();
    expect(await purge()).to.equal(1);
    expect((await query('SELECT id FROM runs')).rows).to.deep.equal([{ id: runId }]);
    expect(await countOf('definition_versions')).to.equal(1);
    await answerRun(world.engine, { actor: world.actor, runId, answer: APPROVE });
    expect((await world.see(runId)).status).to.equal('completed');
    expect(await purge()).to.equal(1);
    expect(await countAll()).to.deep.equal(
      Object.fromEntries(Object.keys(await countAll()).map((table) => [table, 0])),
    );
  });

  it('is found too where a crash came between a workflow that was made for one run and that run', async () => {
    const start = () => {
      const sequence = { name: 'Once', steps: [{ name: 'Sign', type: 'approval' }] };
      return startSequence(world.engine, { actor: world.actor, sequence, input: {}, trigger: 'api' });
    };
    await start();
    await defineAndRun(0);
    const kept = await countAll();
    armFailpoints([{ name: 'start.before_commit', action: 'throw', ms: 0, nth: 1 }]);
    try {
      expect(await start().catch(({ message }) => message)).to.equal('failpoint start.before_commit');
    } finally {
      armFailpoints([]);
    }
    await start();
    expect(await sweepOrphans(world.engine, null), 'too young').to.equal(null);
    await query(`UPDATE definitions SET created_at = created_at - interval '3 days'`);
    let after: string | null = null;
    for (let looked = 0; looked < 4; looked++) after = await sweepOrphans(world.engine, after, 1);
    expect(await sweepOrphans(world.engine, after), 'each is looked at once').to.equal(after);
    await age();
    await purge();
    const [definitions, runs] = [kept['definitions']! + 1, kept['runs']! + 1];
    expect(await countAll()).to.include({ definitions, definition_versions: definitions, runs });
    await checkStored(world);
  });

  it('knows every table that belongs to runs', async () => {
    const { rows } = await query(
      `SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'run_id'`,
    );
    expect(rows.map(({ name }) => name)).to.have.members([...PARTS_OF_RUNS, 'files', 'purged_runs']);
  });

  it('is the only reason for which events go: not with a run that exists, nor without it being recorded', async () => {
    const { runs } = await defineAndRun(2);
    const [a, b] = runs;
    expect(await codeOf(query('DELETE FROM events'))).to.equal('23001');
    await query('INSERT INTO purged_runs (run_id) VALUES ($1)', [a]);
    expect(await codeOf(query('DELETE FROM events WHERE run_id = $1', [a]))).to.equal('23001');
    await query('DELETE FROM runs WHERE id = ANY ($1::uuid[])', [runs]);
    expect(await codeOf(query('DELETE FROM events WHERE run_id = $1', [b]))).to.equal('23001');
    expect(await codeOf(query('DELETE FROM events'))).to.equal('23001');
    expect(await codeOf(query(`UPDATE events SET type = 'x' WHERE run_id = $1`, [a]))).to.equal('23001');
    expect(await codeOf(query('DELETE FROM events WHERE run_id = $1', [a]))).to.equal('done');
  });
});
