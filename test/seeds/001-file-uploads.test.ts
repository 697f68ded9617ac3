// Seed 001, "File Uploads": each test quotes the sentence that it checks. Its curl lines are curl-lines.test.ts, its cloud
// storage test/flows/files.test.ts, attacks on uploads test/http/files.test.ts.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { formOf, postForm, type SentFile } from '../support/forms.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { getReaper } from '../support/reaper.ts';
import { DOCX, PDF, PNG } from '../support/sample-files.ts';

const TOOLS = [fileURLToPath(new URL('../support/file-tools.ts', import.meta.url))];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The workflow of the example: it extracts something from the document that it is started with. */
const PROCESSING = {
  name: 'Document Processing',
  payload: { extractionType: { type: 'string' }, outputFormat: { type: 'string', default: 'json' } },
  initialStep: 'extract',
  steps: [
    {
      id: 'extract',
      type: 'call-tool',
      tool: 'read-file',
      args: { fileId: '${data.fileId}' },
      outputKey: 'extractedData',
    },
    { id: 'end', type: 'end-flow' },
  ],
  edges: [{ from: 'extract', to: 'end' }],
};
const AGREEMENT = { content: PDF, filename: 'agreement.pdf', type: 'application/pdf' };

describe('seed 001, File Uploads', () => {
  let holdpoint: Holdpoint;
  before(async () => {
    const dataDir = mkdtempSync(join(getReaper().folder, 'data-'));
    holdpoint = await startHoldpoint({ withWorker: true, settings: { toolModules: TOOLS, dataDir } });
    await holdpoint.define(PROCESSING);
  });
  after(() => holdpoint.stop());

  const start = (file: SentFile, fields: Record<string, string> = { extractionType: 'full' }, field = 'attachment') =>
    postForm(`${holdpoint.address}/api/workflow/start/document-processing`, {
      body: formOf(fields, { [field]: file }),
      headers: { 'x-api-key': holdpoint.workspace.keys.editor, 'x-tenant-id': holdpoint.workspace.slug },
    });

  it('"Workflows support file uploads via multipart/form-data"', async () => {
    const { status, body } = await start(AGREEMENT, { extractionType: 'full', outputFormat: 'json' });
    expect({ status, word: body.status, keys: Object.keys(body) }).to.deep.equal({
      status: 200,
      word: 'completed',
      keys: ['runId', 'status', 'data', 'result'],
    });
  });

  it('"attachment — The file to upload", "Field name: attachment"', async () => {
    const { status, body } = await start(AGREEMENT, { extractionType: 'full' }, 'document');
    expect({ status, details: body.error.details }).to.deep.equal({
      status: 400,
      details: [{ pointer: '/document', message: 'is a file', hint: 'send the file as attachment' }],
    });
  });

  it('"Other fields — Workflow input parameters as key-value pairs"', async () => {
    const { body } = await start(AGREEMENT, { extractionType: 'full', param1: 'value1' });
    expect(body.data).to.include({ extractionType: 'full', outputFormat: 'json', param1: 'value1' });
    expect((await start(AGREEMENT, { param1: 'value1' })).body.error.details[0].pointer).to.equal('/extractionType');
  });

  it('"Max file size: 3.75 MB"', async () => {
    const text = (size: number) => ({ content: Buffer.alloc(size, 'x'), filename: 'a.txt', type: 'text/plain' });
    expect((await start(text(3.75 * 1_048_576))).status).to.equal(200);
    expect((await start(text(3.75 * 1_048_576 + 1))).status).to.equal(413);
  });

  it('"Supported formats: PDF, images, and other common document types"', async () => {
    const types = [];
    for (const content of [PDF, PNG, DOCX, Buffer.from('Dear Sir'), Buffer.from('{\\rtf1 Dear Sir}')]) {
      types.push((await start({ ...AGREEMENT, content })).body.data.attachment.contentType);
    }
    expect(types).to.deep.equal([
      'application/pdf',
      'image/png',
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
      'text/plain',
      'application/rtf',
    ]);
  });

  it('"A unique UUID is generated for the file reference", and "The workflow receives the file reference in its data context"', async () => {
    const [first, second] = [await start(AGREEMENT), await start(AGREEMENT)];
    expect(first.body.data.fileId).to.match(UUID).and.not.equal(second.body.data.fileId);
    expect(first.body.data.attachment).to.include({ fileId: first.body.data.fileId, filename: 'agreement.pdf' });
  });

  it('"Workflow steps can access the file for processing"', async () => {
    const { body } = await start(AGREEMENT);
    expect(body.data.extractedData).to.deep.equal({
      file: body.data.attachment,
      bytes: PDF.length,
      hash: body.data.attachment.sha256,
    });
  });
});
