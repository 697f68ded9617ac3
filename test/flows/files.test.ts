// A start with a file across processes: the worker reads from S3 what the web process put there, and what a start leaves
// behind that ends in the middle is gone after a sweep. The attacks are in test/http/files.test.ts.

import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { loadConfig } from '../../src/config.ts';
import { sweepFiles } from '../../src/engine/sweep-files.ts';
import { startWeb } from '../../src/web.ts';
import { createKey } from '../support/api.ts';
import { formOf, postForm } from '../support/forms.ts';
import { startProcess } from '../support/processes.ts';
import { getReaper } from '../support/reaper.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { PDF } from '../support/sample-files.ts';
import { createWorld, type World } from '../support/world.ts';

const TOOLS = fileURLToPath(new URL('../support/file-tools.ts', import.meta.url));
const READ = { id: 'read', type: 'call-tool', tool: 'read-file', args: { fileId: '${data.fileId}' } };

interface Row {
  id: string;
  workspaceId: string;
  kept: boolean;
}

describe('a file of a start', () => {
  const dataDir = mkdtempSync(join(getReaper().folder, 'data-'));
  let s3: S3Server;
  let world: World;
  let key: string;
  before(async () => {
    s3 = await startS3Server();
    world = await createWorld({ settings: { HOLDPOINT_DATA_DIR: dataDir, HOLDPOINT_TOOLS: TOOLS } });
    key = await createKey(world.db, { workspaceId: world.actor.workspaceId, role: 'editor' });
  });
  after(async () => {
    await world.close();
    await s3.stop();
  });

  const openWeb = (settings: Record<string, string> = {}) => {
    const environment = { ...world.environment, PORT: '0', ...settings };
    return startWeb({ ...loadConfig(environment), databaseUrl: world.environment['DATABASE_URL']! });
  };
  /** A web process of its own, to be killed by a failpoint. */
  const openDoomedWeb = async (failpoint: string) => {
    const web = startProcess('web', { ...world.environment, LOG_LEVEL: 'info', PORT: '0', FP: failpoint });
    const { address } = JSON.parse(await web.logged(/"web started"/)) as { address: string };
    return { web, address };
  };
  const send = (address: string, workflow: string, headers: Record<string, string> = {}) =>
    postForm(`${address}/api/workflow/start/${workflow}`, {
      key,
      body: formOf({ note: 'x' }, { attachment: { content: PDF, filename: 'a.pdf' } }),
      headers,
    });
  const listRows = async () =>
    (
      await world.db.pool.query<Row>(
        'SELECT id, workspace_id AS "workspaceId", kept_at IS NOT NULL AS kept FROM files ORDER BY id',
      )
    ).rows;
  const makeOld = () => world.db.pool.query(`UPDATE files SET created_at = created_at - interval '61 minutes'`);
  const pathOf = ({ workspaceId, id }: Row) => join(dataDir, 'files', workspaceId, id);

  it('goes through S3 from the web process to the worker and back: seed 001, "The file is uploaded to cloud storage"', async () => {
    const { bucket, endpoint, credentials } = s3.settings;
    const settings = {
      FILES_S3_BUCKET: bucket,
      FILES_S3_ENDPOINT: endpoint!,
      FILES_S3_ACCESS_KEY_ID: credentials!.accessKeyId,
      FILES_S3_SECRET_ACCESS_KEY: credentials!.secretAccessKey,
    };
    const worker = await world.work(settings);
    const web = await openWeb(settings);
    const { body } = await send(web.address, await world.define({ steps: [READ] }));
    expect({ status: body.status, bytes: body.data?.bytes, hash: body.data?.hash }).to.deep.equal({
      status: 'completed',
      bytes: PDF.length,
      hash: body.data.attachment.sha256,
    });
    const answer = await fetch(`${web.address}/api/files/${body.data.fileId}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(Buffer.from(await answer.arrayBuffer()).equals(PDF)).to.equal(true);
    expect(existsSync(join(dataDir, 'files'))).to.equal(false);

    await s3.stop();
    const lost = await send(web.address, await world.define({ steps: [READ] }));
    expect({ status: lost.status, code: lost.body.error.code }).to.deep.equal({
      status: 503,
      code: 'UNAVAILABLE',
    });
    const { rows } = await world.db.pool.query('SELECT count(*)::int AS n FROM runs');
    expect(rows).to.deep.equal([{ n: 1 }]);
    await Promise.all([web.stop(), worker.stop()]);
    await world.db.pool.query('DELETE FROM files');
  });

  it('is gone after a sweep when its process died before the run was committed, and stays when it did not', async () => {
    const workflow = await world.define({ steps: [{ id: 'end', type: 'end-flow' }] });
    const { web, address } = await openDoomedWeb('start.before_commit:kill@2');
    const kept = (await send(address, workflow)).body.data.fileId as string;
    expect(await send(address, workflow).then(String, () => 'cut off')).to.equal('cut off');
    expect(await web.ended()).to.equal('SIGKILL');
    const orphan = (await listRows()).find(({ id }) => id !== kept)!;
    expect(existsSync(pathOf(orphan))).to.equal(true);

    expect(await sweepFiles(world.engine), 'what is young').to.equal(0);
    await makeOld();
    expect(await sweepFiles(world.engine)).to.equal(1);
    expect(existsSync(pathOf(orphan))).to.equal(false);
    expect(await listRows()).to.deep.equal([{ id: kept, workspaceId: world.actor.workspaceId, kept: true }]);
    expect(existsSync(pathOf({ ...orphan, id: kept }))).to.equal(true);
    expect(await sweepFiles(world.engine)).to.equal(0);
  });

  it('comes once with a start that is sent twice under one key', async () => {
    const workflow = await world.define({ steps: [{ id: 'end', type: 'end-flow' }] });
    const before = (await listRows()).length;
    const headers = { 'idempotency-key': randomUUID() };
    // The first dies after its run is committed; the second finds that run, and its own file is not needed.
    const first = await openDoomedWeb('start.after_commit:kill');
    expect(await send(first.address, workflow, headers).then(String, () => 'cut off')).to.equal('cut off');
    const web = await openWeb();
    await world.db.pool.query(`UPDATE idempotency_keys SET lease_until = now() - interval '1 second'`);
    const second = await send(web.address, workflow, headers);
    const third = await send(web.address, workflow, headers);
    expect(second.body.runId).to.equal(third.body.runId);
    expect(third.headers.get('idempotent-replayed')).to.equal('true');
    const rows = await listRows();
    expect(rows).to.have.length(before + 1);
    expect(rows.map(({ id }) => id)).to.include(second.body.data.fileId);
    for (const row of rows) expect(existsSync(pathOf(row))).to.equal(true);
    await web.stop();
  });
});
