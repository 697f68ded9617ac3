// What becomes of a workflow after it was created, over HTTP: updates and versions, publishing, archiving, copies, the end.

import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { purgeWorkflows } from '../../../src/engine/purge-workflows.ts';
import { createLog } from '../../../src/log.ts';
import { type Answer, createWorkspace } from '../../support/api.ts';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';
import { mask } from '../../support/seed-client.ts';
import { APPROVE, ask, edges, tool } from '../../support/steps.ts';

const TOOLS = [fileURLToPath(new URL('../../support/tools.ts', import.meta.url))];
const APPROVAL = {
  name: 'Approval',
  description: 'Asks once',
  initialStep: 'ask',
  steps: [ask(), { id: 'end', type: 'end-flow', result: { by: 'version 1' } }],
  edges: edges('ask end'),
};
/** Other steps altogether: a run that were moved to this version could not go on. */
const OTHER = {
  initialStep: 'work',
  steps: [tool('work', 'noop'), { id: 'end', type: 'end-flow', result: { by: 'version 2' } }],
  edges: edges('work end'),
};

describe('the life of a workflow over HTTP', () => {
  let holdpoint: Holdpoint;
  let key: string;
  let serial = 0;

  before(async () => {
    holdpoint = await startHoldpoint({ withWorker: true, settings: { toolModules: TOOLS } });
  });
  after(() => holdpoint.stop());
  beforeEach(async () => {
    serial += 1;
    key = await holdpoint.define({ ...APPROVAL, name: `Approval ${serial}` });
  });

  const path = (rest = '') => `/api/workflows/${key}${rest}`;
  const get = async (rest = '') => (await holdpoint.ask(path(rest))).body;
  const post = (rest: string, body: object = {}) => holdpoint.ask(path(rest), { body });
  const put = (body: object, headers: Record<string, string> = {}) =>
    holdpoint.ask(path(), { method: 'PUT', body, headers });
  const remove = (rest = '', as: 'editor' | 'admin' | 'owner' = 'editor') =>
    holdpoint.ask(path(rest), { method: 'DELETE', key: holdpoint.workspace.keys[as] });
  const codeOf = ({ status, body }: Answer) => [status, body.error?.code];
  const versions = async () =>
    (await get('/versions')).map((row: Record<string, unknown>) => [row['version'], row['status'], row['isPublished']]);

  describe('an update', () => {
    it('of one key keeps the others, and adds a version as a draft', async () => {
      const first = await get();
      const { status, body, headers } = await put({ description: 'Asks twice' });
      expect({ status, etag: headers.get('etag') }).to.deep.equal({ status: 200, etag: '"1.0.1"' });
      expect(mask(body)).to.deep.equal(mask({ ...first, description: 'Asks twice', version: '1.0.1' }));
      expect(await get()).to.deep.equal(body);
      expect(mask(await get('?version=1.0.0'))).to.deep.equal(mask(first));
    });

    it('of everything is a new graph under the same id', async () => {
      const { body } = await put({ ...OTHER, name: 'Renamed' });
      expect(body).to.deep.include({ id: key, name: 'Renamed', steps: OTHER.steps, description: 'Asks once' });
      expect((await holdpoint.ask('/api/workflows?limit=1')).body[0]).to.include({ id: key, name: 'Renamed' });
    });

    it('takes a key away with null', async () => {
      expect((await put({ description: null })).body.description).to.equal(null);
      expect(codeOf(await put({ steps: null }))).to.deep.equal([400, 'INVALID_DEFINITION']);
    });

    it('that changes nothing adds a version too', async () => {
      await put({});
      expect((await put({})).body.version).to.equal('1.0.2');
    });

    it('may be for testing, until the next', async () => {
      expect((await put({ status: 'testing' })).body.status).to.equal('testing');
      const listed = (await holdpoint.ask('/api/workflows?status=testing')).body;
      expect(listed.map(({ id }: { id: string }) => id)).to.deep.equal([key]);
      expect((await put({})).body.status).to.equal('draft');
      for (const status of ['published', 'archived', 'live', 1, null])
        expect(codeOf(await put({ status })), `${status}`).to.deep.equal([400, 'INVALID_REQUEST']);
    });

    it('with problems lists them all, and adds nothing', async () => {
      const { status, body } = await put({ initialStep: 'nowhere', edges: [{ from: 'ask', to: 'ghost' }], colour: 1 });
      expect({ status, code: body.error.code }).to.deep.equal({ status: 400, code: 'INVALID_DEFINITION' });
      const pointers = body.error.details.map(({ pointer }: { pointer: string }) => pointer);
      expect(pointers).to.have.members(['/colour', '/edges/0/to', '/initialStep']);
      expect((await get()).version).to.equal('1.0.0');
    });

    it('that sends back what is shown beside a definition is told to leave it out', async () => {
      await post('/publish');
      const { steps, edges: _, ...shown } = await get();
      const { status, body } = await put({ ...shown, status: 'draft', steps });
      expect(status).to.equal(400);
      const beside = ['/id', '/uuid', '/version', '/publishedVersion', '/createdAt', '/updatedAt', '/createdBy'];
      expect(body.error.details.map(({ pointer }: { pointer: string }) => pointer)).to.have.members(beside);
      for (const { hint } of body.error.details) expect(hint).to.equal('it is set for you; leave it out');
    });

    it('made for a version that is no longer the latest is refused with 412', async () => {
      const { headers } = await holdpoint.ask(path());
      const version = headers.get('etag')!;
      expect((await put({ description: 'mine' }, { 'if-match': version })).status).to.equal(200);
      const lost = await put({ description: 'yours' }, { 'if-match': version });
      expect(codeOf(lost)).to.deep.equal([412, 'VERSION_CHANGED']);
      expect(lost.body.error.message).to.match(/^Precondition failed: .*read it/);
      expect((await put({}, { 'if-match': '2' })).status).to.equal(200);
      expect((await put({}, { 'if-match': '*' })).status).to.equal(200);
      expect((await put({}, { 'if-match': '"2.0.0"' })).status).to.equal(412);
      expect(codeOf(await put({}, { 'if-match': 'yesterday' }))).to.deep.equal([400, 'INVALID_REQUEST']);
      expect((await get()).description).to.equal('mine');
    });

    it('racing others for one version is made once; without If-Match all are made, one after the other', async () => {
      const racers = Array.from({ length: 8 }, (_, index) => ({ [`x-${index}`]: index }));
      const strict = await Promise.all(racers.map((body) => put(body, { 'if-match': '"1.0.0"' })));
      expect(strict.map(({ status }) => status).sort()).to.deep.equal([200, ...Array(7).fill(412)]);
      const loose = await Promise.all(racers.map((body) => put(body)));
      const made = loose.map(({ body }) => body.version).sort();
      expect(made).to.deep.equal(racers.map((_, index) => `1.0.${index + 2}`));
      expect(await get()).to.include(Object.assign({}, ...racers)); // nobody's key was lost
    });
  });

  describe('versions', () => {
    it('are listed newest first, with who made them and which one counts', async () => {
      await put({ status: 'testing' });
      await post('/publish', { version: '1.0.0' });
      const body = await get('/versions');
      expect(body[1].publishedAt).to.be.a('string');
      expect(mask(body)).to.deep.equal([
        {
          id: key,
          version: '1.0.1',
          status: 'testing',
          createdAt: '<time>',
          createdBy: 'user-editor',
          publishedAt: null,
          isLatest: true,
          isPublished: false,
        },
        {
          id: key,
          version: '1.0.0',
          status: 'published',
          createdAt: '<time>',
          createdBy: 'user-editor',
          publishedAt: '<time>',
          isLatest: false,
          isPublished: true,
        },
      ]);
    });

    it('come by the page, counted', async () => {
      await put({});
      await put({});
      const { body, headers } = await holdpoint.ask(path('/versions?limit=1&offset=1'));
      expect(headers.get('x-total-count')).to.equal('3');
      expect(body.map(({ version }: { version: string }) => version)).to.deep.equal(['1.0.1']);
      for (const query of ['limit=0', 'limit=1001', 'offset=-1', 'sort=version'])
        expect((await holdpoint.ask(path(`/versions?${query}`))).status, query).to.equal(400);
    });

    it('are read by every selector', async () => {
      await put({ description: 'second' });
      await post('/publish', { version: '1.0.0' });
      const shown = async (selector: string) => (await get(`?version=${selector}`)).version;
      for (const selector of ['latest', '1.0.1', '2']) expect(await shown(selector)).to.equal('1.0.1');
      for (const selector of ['published', '1.0.0', '1']) expect(await shown(selector)).to.equal('1.0.0');
      for (const selector of ['3', '1.0.2', '1.1.0', '2.0.0', '0'])
        expect(codeOf(await holdpoint.ask(path(`?version=${selector}`))), selector).to.deep.equal([
          404,
          'VERSION_NOT_FOUND',
        ]);
      for (const selector of ['1.1', '1.0.01', '-1', 'newest', ''])
        expect(codeOf(await holdpoint.ask(path(`?version=${selector}`))), selector).to.deep.equal([
          400,
          'INVALID_REQUEST',
        ]);
    });
  });

  describe('publishing', () => {
    it('races to one published version, and every version that won for a moment says so', async () => {
      await put({});
      await put({});
      const asked = Array.from({ length: 9 }, (_, index) => `1.0.${index % 3}`);
      const answers = await Promise.all(asked.map((version) => post('/publish', { version })));
      expect(answers.map(({ status }) => status)).to.deep.equal(asked.map(() => 200));
      const listed = await versions();
      expect(listed.map(([, status]: string[]) => status)).to.deep.equal(['published', 'published', 'published']);
      expect(listed.filter(([, , isPublished]: unknown[]) => isPublished)).to.have.length(1);
    });

    it('and updating at once lose neither', async () => {
      const [update, publish] = await Promise.all([put({ description: 'new' }), post('/publish', { version: '1' })]);
      expect([update.status, publish.status]).to.deep.equal([200, 200]);
      expect(await get()).to.include({ description: 'new', version: '1.0.1', publishedVersion: '1.0.0' });
    });

    it('stays with its version when the workflow is updated', async () => {
      await post('/publish');
      expect((await put({ description: 'later' })).body).to.include({
        status: 'published',
        version: '1.0.1',
        publishedVersion: '1.0.0',
      });
      expect((await get('?version=published')).description).to.equal('Asks once');
    });
  });

  describe('archiving', () => {
    it('hides a workflow from lists, keeps it readable, and again is as if done', async () => {
      await post('/publish');
      for (const _ of [1, 2]) {
        const { status, body } = await remove();
        expect({ status, body }).to.deep.equal({ status: 200, body: { success: true } });
      }
      expect(await get()).to.include({ status: 'archived', version: '1.0.0' });
      const ids = async (query: string) =>
        (await holdpoint.ask(`/api/workflows?${query}`)).body.map(({ id }: { id: string }) => id);
      expect(await ids('limit=200')).not.to.include(key);
      expect(await ids('limit=200&includeArchived=true')).to.include(key);
      expect(await ids('status=archived')).to.include(key);
    });

    it('lets nothing start, change or be published until it is taken back (S-76)', async () => {
      await remove();
      const refused = [
        await holdpoint.ask(`/api/workflow/start/${key}`, { body: {} }),
        await holdpoint.ask(`/api/workflow/start-async/${key}`, { body: { version: '1' } }),
        await put({ description: 'x' }),
        await put({ description: 'x' }, { 'if-match': '7' }),
        await post('/publish', { version: '1.0.0' }),
        await post('/publish', { version: '1.0.9' }),
      ];
      for (const answer of refused) expect(codeOf(answer)).to.deep.equal([409, 'WORKFLOW_ARCHIVED']);
      expect((await post('/unarchive')).status).to.equal(200);
      expect((await put({ description: 'x' })).status).to.equal(200);
    });

    it('is taken back to a draft, versions and all; one that is not archived is refused', async () => {
      expect(codeOf(await post('/unarchive'))).to.deep.equal([409, 'CONFLICT']);
      await put({ status: 'testing' });
      await post('/publish', { version: '1.0.0' });
      await remove();
      const { status, body } = await post('/unarchive');
      expect({ status, word: body.status, published: body.publishedVersion }).to.deep.equal({
        status: 200,
        word: 'draft',
        published: null,
      });
      expect(await versions()).to.deep.equal([
        ['1.0.1', 'draft', false],
        ['1.0.0', 'draft', false],
      ]);
      expect((await get('/versions'))[1].publishedAt).to.be.a('string');
    });

    it('racing a publication leaves one or the other, whole', async () => {
      const [archived, published] = await Promise.all([remove(), post('/publish')]);
      expect(archived.status).to.equal(200);
      expect(published.status).to.be.oneOf([200, 409]);
      const row = await get();
      expect([row.status, row.publishedVersion]).to.deep.equal(['archived', published.status === 200 ? '1.0.0' : null]);
    });
  });

  describe('a copy', () => {
    it('is of the latest version, a draft of its own called "(Copy)"', async () => {
      await put({ description: 'second' });
      await post('/publish');
      const { status, body } = await post('/clone');
      const { createdAt, updatedAt, uuid, ...original } = await get();
      expect(status).to.equal(201);
      expect(mask(body)).to.deep.equal({
        ...original,
        id: `${key}-copy`,
        uuid: '<id>',
        name: `Approval ${serial} (Copy)`,
        status: 'draft',
        version: '1.0.0',
        publishedVersion: null,
        createdAt: '<time>',
        updatedAt: '<time>',
      });
      await put({ description: 'third' });
      expect((await holdpoint.ask(`/api/workflows/${key}-copy`)).body.description).to.equal('second');
    });

    it('may be named, and names that are too long are cut to fit', async () => {
      expect((await post('/clone', { name: 'Another one' })).body).to.include({
        id: 'another-one',
        name: 'Another one',
      });
      await put({ name: '🙂'.repeat(200) });
      expect((await post('/clone')).body.name).to.equal(`${'🙂'.repeat(193)} (Copy)`);
      for (const name of ['', 'x'.repeat(201), 7])
        expect(codeOf(await post('/clone', { name })), `${name}`).to.deep.equal([400, 'INVALID_REQUEST']);
    });

    it('can be made of an archived workflow', async () => {
      await remove();
      expect((await post('/clone')).body.status).to.equal('draft');
    });
  });

  describe('permanent deletion', () => {
    it('is the owner’s, and of what is archived (S-29)', async () => {
      expect(codeOf(await remove('/permanent', 'owner'))).to.deep.equal([409, 'CONFLICT']);
      await remove();
      for (const role of ['editor', 'admin'] as const)
        expect(codeOf(await remove('/permanent', role))).to.deep.equal([403, 'FORBIDDEN']);
      const { status, body } = await remove('/permanent', 'owner');
      expect({ status, body }).to.deep.equal({ status: 200, body: { success: true } });
    });

    it('leaves nothing to find, and its key to the next', async () => {
      const { uuid } = await get();
      await remove();
      await remove('/permanent', 'owner');
      for (const id of [uuid, key]) {
        const gone = [
          await holdpoint.ask(`/api/workflows/${id}`),
          await holdpoint.ask(`/api/workflows/${id}/versions`),
          await holdpoint.ask(`/api/workflows/${id}/unarchive`, { body: {} }),
          await holdpoint.ask(`/api/workflows/${id}/permanent`, {
            method: 'DELETE',
            key: holdpoint.workspace.keys.owner,
          }),
          await holdpoint.ask(`/api/workflow/start/${id}`, { body: {} }),
          await holdpoint.ask(`/api/workflow/metadata/input/${id}`),
        ];
        for (const answer of gone) expect(codeOf(answer)).to.deep.equal([404, 'WORKFLOW_NOT_FOUND']);
      }
      expect(await holdpoint.define({ ...APPROVAL, name: `Approval ${serial}` })).to.equal(key);
    });

    it('waits for runs that are not finished, and takes those that are along', async () => {
      const runId = await holdpoint.start(key);
      await remove();
      expect(codeOf(await remove('/permanent', 'owner'))).to.deep.equal([409, 'CONFLICT']);
      await holdpoint.ask(`/api/workflow/resume/${runId}`, { body: APPROVE });
      expect((await holdpoint.ask(`/api/workflow/status/${runId}`)).body.status).to.equal('completed');
      expect((await remove('/permanent', 'owner')).status).to.equal(200);
      await purgeWorkflows({ db: holdpoint.db, log: createLog({ level: 'silent', name: 'test' }) });
      expect(codeOf(await holdpoint.ask(`/api/workflow/status/${runId}`))).to.deep.equal([404, 'RUN_NOT_FOUND']);
    });
  });

  describe('a run', () => {
    const start = async (version?: string) => {
      const body = version === undefined ? {} : { version };
      return (await holdpoint.ask(`/api/workflow/start/${key}`, { body })).body;
    };
    const answer = (runId: string) => holdpoint.ask(`/api/workflow/resume/${runId}`, { body: APPROVE });
    const status = async (runId: string) => (await holdpoint.ask(`/api/workflow/status/${runId}`)).body;

    it('stays on the version it started on through updates, publications and archiving', async () => {
      const { runId } = await start();
      const changes = [
        () => put(OTHER),
        () => post('/publish', { version: '1.0.1' }),
        () => remove(),
        () => post('/unarchive'),
        () => put({ description: 'third' }),
        () => remove(),
      ];
      for (const change of changes) {
        expect((await change()).status).to.equal(200);
        expect(await status(runId)).to.include({ status: 'paused', version: '1.0.0', currentStepId: 'ask' });
      }
      expect((await answer(runId)).body).to.deep.equal({ runId, status: 'completed' });
      expect((await status(runId)).result).to.deep.equal({ by: 'version 1' });
    });

    it('starts on the version that is asked for, the latest if none is (S-76)', async () => {
      await post('/publish');
      await put(OTHER);
      const started: [string | undefined, string][] = [
        [undefined, '1.0.1'],
        ['latest', '1.0.1'],
        ['2', '1.0.1'],
        ['published', '1.0.0'],
        ['1.0.0', '1.0.0'],
      ];
      for (const [selector, version] of started) {
        const { runId } = await start(selector);
        expect((await status(runId)).version, selector).to.equal(version);
      }
      expect((await start('1.0.9')).error.code).to.equal('VERSION_NOT_FOUND');
    });
  });

  it('of one workspace cannot be touched from another: its id is unknown there (S-14)', async () => {
    const stranger = (await createWorkspace(holdpoint.db)).keys.owner;
    const { uuid } = await get();
    const runId = await holdpoint.start(key);
    for (const id of [key, uuid]) {
      const asked = [
        holdpoint.ask(`/api/workflows/${id}/clone`, { key: stranger, body: { name: 'Mine now' } }),
        holdpoint.ask(`/api/workflows/${id}`, { key: stranger, method: 'PUT', body: { name: 'Mine now' } }),
        holdpoint.ask('/api/workflow/management/cancel', { key: stranger, body: { workflowId: id, runId } }),
      ];
      for (const { status } of await Promise.all(asked)) expect(status).to.equal(404);
    }
    expect((await holdpoint.ask('/api/workflows', { key: stranger })).body).to.deep.equal([]);
    expect((await get()).name).to.equal(`Approval ${serial}`);
  });
});
