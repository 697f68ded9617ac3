// Seed 001, "Workflow Management", from its updates on: each test quotes the sentence that it checks.

import { expect } from 'chai';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { createSeedClient, mask, type SeedClient } from '../support/seed-client.ts';

/** The definition that the seed prints under "Create Workflow". */
const PRINTED = {
  name: 'Customer Onboarding',
  description: 'Onboarding workflow for new customers',
  initialStep: 'collect-inputs-1',
  steps: [
    {
      type: 'collect-inputs',
      id: 'collect-inputs-1',
      output: { customerName: { type: 'string' }, email: { type: 'string' } },
    },
    { type: 'end-flow', id: 'end-1' },
  ],
  edges: [{ from: 'collect-inputs-1', to: 'end-1' }],
  payload: {},
};
const WORKFLOW = '/api/workflows/customer-onboarding';

describe('seed 001, Workflow Management', () => {
  let holdpoint: Holdpoint;
  let client: SeedClient;

  before(async () => {
    holdpoint = await startHoldpoint();
  });
  after(() => holdpoint.stop());
  beforeEach(async () => {
    client = await createSeedClient(holdpoint.db, () => holdpoint.address);
    await client.define(PRINTED);
  });

  const read = async (path = WORKFLOW) => (await client.get(path)).body;

  describe('Get Workflow Versions', () => {
    it('"Returns all versions of a workflow with their status and metadata"', async () => {
      await client.put(WORKFLOW, { status: 'testing' });
      await client.post(`${WORKFLOW}/publish`, { version: '1.0.0' });
      const metadata = { id: 'customer-onboarding', createdAt: '<time>', createdBy: 'user-editor' };
      expect(mask(await read(`${WORKFLOW}/versions`))).to.deep.equal([
        { ...metadata, version: '1.0.1', status: 'testing', publishedAt: null, isLatest: true, isPublished: false },
        {
          ...metadata,
          version: '1.0.0',
          status: 'published',
          publishedAt: '<time>',
          isLatest: false,
          isPublished: true,
        },
      ]);
    });
  });

  describe('Update Workflow', () => {
    it('"Updates create a new version automatically"', async () => {
      const { status, body } = await client.put(WORKFLOW, { ...PRINTED, description: 'For all customers' });
      expect({ status, body: mask(body) }).to.deep.equal({
        status: 200,
        body: mask({
          ...(await read(`${WORKFLOW}?version=1.0.0`)),
          description: 'For all customers',
          version: '1.0.1',
        }),
      });
      expect(await read()).to.deep.equal(body);
    });

    it('"Previous versions are preserved"', async () => {
      const { createdAt, updatedAt, ...first } = await read();
      for (const description of ['second', 'third']) await client.put(WORKFLOW, { description });
      for (const selector of ['1.0.0', '1'])
        expect(await read(`${WORKFLOW}?version=${selector}`)).to.deep.include({
          ...first,
          description: PRINTED.description,
        });
      expect(await read(`${WORKFLOW}?version=1.0.1`)).to.include({ description: 'second', version: '1.0.1' });
    });
  });

  describe('Archive Workflow', () => {
    it('"Soft-deletes the workflow by setting status to archived"', async () => {
      const { updatedAt: _, ...before } = await read();
      const { status, body } = await client.remove(WORKFLOW);
      expect({ status, body }).to.deep.equal({ status: 200, body: { success: true } });
      expect(await read('/api/workflows')).to.deep.equal([]);
      const { updatedAt, ...archived } = await read();
      expect(archived).to.deep.equal({ ...before, status: 'archived' });
      expect(updatedAt).to.be.a('string');
    });

    it('"Can be restored with unarchive"', async () => {
      await client.remove(WORKFLOW);
      await client.post(`${WORKFLOW}/unarchive`, {});
      expect((await read('/api/workflows')).map(({ id }: { id: string }) => id)).to.deep.equal(['customer-onboarding']);
      expect((await client.post('/api/workflow/start-async/customer-onboarding', {})).status).to.equal(200);
    });
  });

  describe('Unarchive Workflow', () => {
    it('"Restores an archived workflow to draft status"', async () => {
      await client.post(`${WORKFLOW}/publish`, {});
      await client.remove(WORKFLOW);
      const { status, body } = await client.post(`${WORKFLOW}/unarchive`, {});
      expect({ status, word: body.status }).to.deep.equal({ status: 200, word: 'draft' });
      expect(await read()).to.deep.equal(body);
    });
  });

  describe('Permanent Delete', () => {
    it('"Permanently deletes an archived workflow"', async () => {
      expect((await client.remove(`${WORKFLOW}/permanent`, 'owner')).status).to.equal(409);
      await client.remove(WORKFLOW);
      const { status, body } = await client.remove(`${WORKFLOW}/permanent`, 'owner');
      expect({ status, body }).to.deep.equal({ status: 200, body: { success: true } });
      expect((await client.get(WORKFLOW)).status).to.equal(404);
      expect(await read('/api/workflows?includeArchived=true')).to.deep.equal([]);
    });

    it('"Requires Owner role"', async () => {
      await client.remove(WORKFLOW);
      for (const role of ['viewer', 'editor', 'admin'] as const)
        expect((await client.remove(`${WORKFLOW}/permanent`, role)).status, role).to.equal(403);
      expect((await client.remove(`${WORKFLOW}/permanent`, 'owner')).status).to.equal(200);
    });

    it('"This action is irreversible"', async () => {
      await client.remove(WORKFLOW);
      await client.remove(`${WORKFLOW}/permanent`, 'owner');
      expect((await client.post(`${WORKFLOW}/unarchive`, {}, 'owner')).status).to.equal(404);
      expect((await client.put(WORKFLOW, PRINTED, 'owner')).status).to.equal(404);
    });
  });

  describe('Publish Workflow', () => {
    it('"Publishes a specific version": the sample’s, though there is a newer one', async () => {
      await client.put(WORKFLOW, { description: 'newer' });
      await client.post(`${WORKFLOW}/publish`, { version: '1.0.0' });
      expect(await read(`${WORKFLOW}?version=published`)).to.include({ version: '1.0.0', status: 'published' });
    });
  });

  describe('Clone Workflow', () => {
    it('"Creates a copy of the workflow with "(Copy)" suffix"', async () => {
      const { status, body } = await client.post(`${WORKFLOW}/clone`, {});
      const id = 'customer-onboarding-copy';
      expect(status).to.equal(201);
      expect(mask(body)).to.deep.equal(mask({ ...(await read()), id, name: 'Customer Onboarding (Copy)' }));
      expect(body.uuid).not.to.equal((await read()).uuid);
      expect(await read(`/api/workflows/${id}`)).to.deep.equal(body);
    });

    it('"The cloned workflow starts in draft status"', async () => {
      await client.put(WORKFLOW, { status: 'testing' });
      await client.post(`${WORKFLOW}/publish`, {});
      const { body } = await client.post(`${WORKFLOW}/clone`, {});
      expect(body).to.include({ status: 'draft', version: '1.0.0', publishedVersion: null });
    });
  });
});
