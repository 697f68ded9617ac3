// Files with a start (API.md §1, seed 001 "File Uploads") against a real server and a real worker: attacks S-33, S-50 and
// S-52 … S-57. The same story with S3, and a process that dies in the middle, are in test/flows/files.test.ts.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { v7 as newId } from 'uuid';
import { type Answer, call, createWorkspace } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { BOUNDARY, formOf, part, postForm, rawForm, type SentFile } from '../support/forms.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { getReaper } from '../support/reaper.ts';
import { DOCX, EXE, PDF, PNG } from '../support/sample-files.ts';

const LIMIT = 3_932_160;
const PARALLEL = 4;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TOOLS = fileURLToPath(new URL('../support/file-tools.ts', import.meta.url));

const END = { id: 'end', type: 'end-flow' };
const TAKES_ALL = { name: 'Takes All', initialStep: 'end', steps: [END], edges: [] };
const TYPED = { ...TAKES_ALL, name: 'Typed', payload: { copies: { type: 'integer' }, tags: { type: 'array' } } };
const CLOSED = {
  ...TAKES_ALL,
  name: 'Closed',
  payload: { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false },
};
const READS = {
  name: 'Reads',
  initialStep: 'read',
  steps: [{ id: 'read', type: 'call-tool', tool: 'read-file', args: { fileId: '${data.fileId}' } }, END],
  edges: [{ from: 'read', to: 'end' }],
};
const LEAVES = {
  ...READS,
  name: 'Leaves',
  steps: [{ id: 'read', type: 'call-tool', tool: 'leave-file', args: { fileId: '${data.fileId}', times: 20 } }, END],
};

describe('a start with a file', () => {
  const dataDir = mkdtempSync(join(getReaper().folder, 'data-'));
  let holdpoint: Holdpoint;
  let editor: string;
  before(async () => {
    const settings = { dataDir, toolModules: [TOOLS], parallelUploads: PARALLEL, filesQuota: 64 * 1_048_576 };
    holdpoint = await startHoldpoint({ withWorker: true, settings });
    editor = holdpoint.workspace.keys.editor;
    for (const definition of [TAKES_ALL, TYPED, CLOSED, READS, LEAVES]) await holdpoint.define(definition);
  });
  after(() => holdpoint.stop());

  const start = (
    body: FormData | Uint8Array,
    { workflow = 'takes-all', key = editor, headers = {} as Record<string, string>, verb = 'start' } = {},
  ) => postForm(`${holdpoint.address}/api/workflow/${verb}/${workflow}`, { key, body, headers });
  const send = (file: SentFile, fields: Record<string, string | string[]> = {}, workflow = 'takes-all') =>
    start(formOf(fields, { attachment: file }), { workflow });
  const download = async (fileId: string, key: string | undefined = editor) => {
    const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const response = await fetch(`${holdpoint.address}/api/files/${fileId}`, { headers });
    return { response, content: Buffer.from(await response.arrayBuffer()) };
  };
  const countRows = async () =>
    (await holdpoint.db.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM files')).rows[0]!.n;
  const countObjects = () =>
    readdirSync(join(dataDir, 'files'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      .length;
  const refusal = ({ status, body }: Answer) => ({ status, code: body.error?.code });
  /** Runs what is to be refused, and makes sure that nothing of it is left. */
  const leavesNothing = async (attack: () => Promise<unknown>) => {
    const before = { rows: await countRows(), objects: countObjects() };
    await attack();
    expect({ rows: await countRows(), objects: countObjects() }).to.deep.equal(before);
  };

  it('gives the run the file beside its fields, and the client its content back', async () => {
    const { status, body } = await send({ content: PDF, filename: 'agreement.pdf' }, { extractionType: 'full' });
    const fileId = body.data?.fileId;
    expect({ status, body }).to.deep.equal({
      status: 200,
      body: {
        runId: body.runId,
        status: 'completed',
        data: {
          extractionType: 'full',
          fileId,
          attachment: {
            fileId,
            filename: 'agreement.pdf',
            contentType: 'application/pdf',
            size: PDF.length,
            sha256: createHash('sha256').update(PDF).digest('hex'),
          },
        },
        result: body.result,
      },
    });
    expect(fileId).to.match(UUID);
    const { response, content } = await download(fileId, holdpoint.workspace.keys.viewer);
    expect({ status: response.status, same: content.equals(PDF) }).to.deep.equal({ status: 200, same: true });
  });

  it('starts without waiting just as well, and with no file at all', async () => {
    const form = formOf({ a: '1' }, { attachment: { content: PNG, filename: 'a.png' } });
    const { status, body } = await start(form, { verb: 'start-async' });
    expect({ status, keys: Object.keys(body) }).to.deep.equal({ status: 200, keys: ['runId'] });
    const run = await holdpoint.ask(`/api/workflow/status/${body.runId}`);
    expect(run.body.data.attachment.contentType).to.equal('image/png');
    expect((await start(formOf({ a: '1' }))).body.data).to.deep.equal({ a: '1' });
    const unchosen = await send({ content: Buffer.alloc(0), filename: '', type: 'application/octet-stream' });
    expect({ status: unchosen.status, data: unchosen.body.data }).to.deep.equal({ status: 200, data: {} });
  });

  it('reads its fields as the payload describes them, and refuses what does not fit before anything is stored', async () => {
    const file = { content: PDF };
    const good = await send(file, { copies: '3', tags: ['a', 'b'] }, 'typed');
    expect(good.body.data)
      .to.include({ copies: 3 })
      .and.deep.include({ tags: ['a', 'b'] });
    const whole = await send(file, { data: '{"copies":3,"tags":[]}' }, 'typed');
    expect(whole.body.data).to.deep.include({ copies: 3, tags: [] });
    await leavesNothing(async () => {
      const bad = await send(file, { copies: 'three', data: '{"tags":' }, 'typed');
      expect(refusal(bad)).to.deep.equal({ status: 400, code: 'INVALID_INPUT' });
      const unfit = await send(file, { copies: 'three' }, 'typed');
      expect(unfit.body.error.details.map(({ pointer }: { pointer: string }) => pointer)).to.have.members([
        '/copies',
        '/tags',
      ]);
      expect((await send(file, { fileId: newId() })).body.error.details[0].pointer).to.equal('/fileId');
      expect((await send(file, { note: 'a\u0000b' })).status).to.equal(400);
    });
  });

  it('goes with a payload that allows nothing else', async () => {
    const { status, body } = await send({ content: PDF }, { a: 'x' }, 'closed');
    expect({ status, a: body.data.a, hasFile: UUID.test(body.data.fileId) }).to.deep.equal({
      status: 200,
      a: 'x',
      hasFile: true,
    });
    expect((await send({ content: PDF }, { b: 'x' }, 'closed')).status).to.equal(400);
  });

  it('is refused without a trace where there is no such workflow, it is archived, or the role is too low', async () => {
    const form = () => formOf({}, { attachment: { content: PDF } });
    await holdpoint.define({ ...TAKES_ALL, name: 'Gone' });
    await holdpoint.db.pool.query(`UPDATE definitions SET archived_at = now() WHERE key = 'gone'`);
    await leavesNothing(async () => {
      expect((await start(form(), { workflow: 'nowhere' })).status).to.equal(404);
      expect((await start(form(), { workflow: 'gone' })).status).to.equal(409);
      expect((await start(form(), { key: holdpoint.workspace.keys.viewer })).status).to.equal(403);
      expect((await start(form(), { key: `sk_${'x'.repeat(32)}` })).status).to.equal(401);
    });
  });

  it('gives a step its file as a stream, and its own workspace’s only (S-14)', async () => {
    const content = Buffer.alloc(LIMIT, 'a line of text\n');
    const { body } = await send({ content, filename: 'long.txt', type: 'text/plain' }, {}, 'reads');
    expect(body.status).to.equal('completed');
    const hash = createHash('sha256').update(content).digest('hex');
    expect({ bytes: body.data.bytes, hash: body.data.hash }).to.deep.equal({ bytes: LIMIT, hash });
    expect(body.data.file).to.deep.equal(body.data.attachment);

    const reused = await holdpoint.ask('/api/workflow/start/reads', { body: { data: { fileId: body.data.fileId } } });
    expect(reused.body.data).to.include({ bytes: LIMIT, hash });
    const other = await createWorkspace(holdpoint.db);
    await call(`${holdpoint.address}/api/workflows`, { key: other.keys.editor, body: READS });
    for (const fileId of [body.data.fileId, newId(), '../../etc/passwd']) {
      const stolen = await call(`${holdpoint.address}/api/workflow/start/reads`, {
        key: other.keys.editor,
        body: { data: { fileId } },
      });
      expect({ status: stolen.body.status, code: stolen.body.error?.code }, fileId).to.deep.equal({
        status: 'failed',
        code: 'file_not_found',
      });
    }
  });

  it('takes back what a step left open', async () => {
    const { body } = await send({ content: PDF }, {}, 'leaves');
    expect(body.data.opened).to.equal(20);
    await eventually(() => countDescriptors(dataDir) === 0, { what: 'the end of every open file' });
  });

  it('is sent back as a download that no browser shows, under a name that does no harm (S-52, S-53)', async () => {
    const filename = '..\\..\\a"b\u202e;<c>—総覧.exe';
    const html = Buffer.from('hello <script>alert(1)</script>');
    const { body } = await send({ content: html, filename, type: 'text/html' });
    const { filename: kept, contentType } = body.data.attachment;
    expect({ kept, contentType }).to.deep.equal({ kept: 'a%22b;_c_—総覧.exe.txt', contentType: 'text/plain' });
    const { response, content } = await download(body.data.fileId);
    expect(content.equals(html)).to.equal(true);
    const header = (name: string) => response.headers.get(name);
    expect(header('content-disposition')).to.equal(
      `attachment; filename="a_22b;_c____.exe.txt"; filename*=UTF-8''${encodeURIComponent(kept)}`,
    );
    expect({
      type: header('content-type'),
      length: header('content-length'),
      sniff: header('x-content-type-options'),
      policy: header('content-security-policy'),
      cache: header('cache-control'),
    }).to.deep.equal({
      type: 'text/plain',
      length: String(html.length),
      sniff: 'nosniff',
      policy: "sandbox; default-src 'none'",
      cache: 'no-store',
    });
    const head = await fetch(`${holdpoint.address}/api/files/${body.data.fileId}`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${editor}` },
    });
    expect({ status: head.status, length: head.headers.get('content-length') }).to.deep.equal({
      status: 200,
      length: String(html.length),
    });
    await eventually(() => countDescriptors(dataDir) === 0, { what: 'the end of every download' });
  });

  it('is kept under an id of ours, whatever path its name is (S-52)', async () => {
    const names = ['../../etc/passwd', '/etc/passwd', '..\\..\\x', 'a\0b', 'x'.repeat(5_000), 'CON', '.htaccess', '..'];
    for (const name of names) {
      const disposition = Buffer.from(`Content-Disposition: form-data; name="attachment"; filename="${name}"`);
      const answer = await start(rawForm(part(disposition, PDF)));
      expect(answer.status, name.slice(0, 20)).to.equal(200);
      expect(answer.body.data.attachment.filename).to.match(/^[^./\\][^/\\]{0,199}\.pdf$/);
    }
    const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    for (const { name } of files) expect(name).to.match(UUID);
  });

  it('may have 3,932,160 bytes and not one more (S-50)', async () => {
    const text = (bytes: number) => ({ content: Buffer.alloc(bytes, 'x'), filename: 'a.txt', type: 'text/plain' });
    expect((await send(text(LIMIT))).body.data.attachment.size).to.equal(LIMIT);
    await leavesNothing(async () => {
      expect(refusal(await send(text(LIMIT + 1)))).to.deep.equal({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
      expect(refusal(await send(text(12_000_000)))).to.deep.equal({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
      const endless = await sendEndlessly(holdpoint.address, editor);
      expect(endless).to.match(/^HTTP\/1\.1 413 /);
    });
  });

  it('is refused for what its bytes are, whatever it says that it is (S-53)', async () => {
    await leavesNothing(async () => {
      for (const content of [EXE, Buffer.from('<html><script>alert(1)</script>'), Buffer.from('<svg onload="x"/>')]) {
        const answer = await send({ content, filename: 'invoice.pdf', type: 'application/pdf' });
        expect(refusal(answer)).to.deep.equal({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
      }
      expect((await send({ content: Buffer.alloc(0), filename: 'a.pdf' })).status).to.equal(400);
    });
    const { body } = await send({ content: DOCX, filename: 'letter.docx', type: 'image/png' });
    expect(body.data.attachment.contentType).to.match(/wordprocessingml\.document$/);
  });

  it('is found by those of its workspace only, by its exact id, while its run is there (S-56)', async () => {
    const { body } = await send({ content: PDF });
    const { fileId, runId } = { ...body.data, ...body };
    const other = await createWorkspace(holdpoint.db);
    const statusOf = async (id: string, key?: string) => (await download(id, key ?? '')).response.status;
    expect(await statusOf(fileId, other.keys.owner)).to.equal(404);
    expect(await statusOf(newId(), editor)).to.equal(404);
    for (const id of [`${fileId}.pdf`, `..%2f${fileId}`, `${fileId}%00`, '%2e%2e', `${fileId}/x`, 'passwd'])
      expect(await statusOf(id, editor), id).to.equal(404);
    expect((await fetch(`${holdpoint.address}/api/files/${fileId}`)).status).to.equal(401);
    expect(await statusOf(fileId, editor)).to.equal(200);
    await holdpoint.db.pool.query('DELETE FROM runs WHERE id = $1', [runId]);
    expect(await statusOf(fileId, editor)).to.equal(404);
  });

  it('is one file, called attachment; text in its place and files elsewhere are refused', async () => {
    const file = { content: PDF };
    await leavesNothing(async () => {
      const problemOf = async (body: FormData | Uint8Array) => (await start(body)).body.error?.details[0]?.pointer;
      expect(await problemOf(formOf({ attachment: './agreement.pdf' }))).to.equal('/attachment');
      expect(await problemOf(formOf({}, { document: file }))).to.equal('/document');
      const twice = formOf({}, { attachment: file });
      twice.append('attachment', new Blob([new Uint8Array(PDF)]), 'b.pdf');
      expect(await problemOf(twice)).to.equal('/attachment');
    });
  });

  it('has bounded fields: many, long and with long headers', async () => {
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`f${index}`, 'x']));
    expect((await start(formOf(many))).status).to.equal(413);
    expect((await start(formOf({ a: 'x'.repeat(65_537) }))).status).to.equal(413);
    expect((await start(formOf({ a: 'x'.repeat(40_000), b: 'x'.repeat(40_000) }))).status).to.equal(413);
    const header = `Content-Disposition: form-data; name="a"; ${'filename="'.repeat(300_000)}z`;
    expect((await start(rawForm(part(header, 'v')))).status).to.be.oneOf([200, 400]);
  });

  it('comes through every way that clients write a part', async () => {
    const field = (headers: string) => rawForm(part(`Content-Disposition: form-data; name="a"${headers}`, 'v'));
    for (const headers of [
      '\r\nContent-Transfer-Encoding: 7bit',
      '\r\nContent-Transfer-Encoding: binary',
      '\r\nContent-Type: text/plain; charset=utf-8',
      '\r\nContent-Type: text/plain; charset=nonsense\r\nContent-Transfer-Encoding: nonsense',
    ]) {
      expect((await start(field(headers))).body.data, headers).to.deep.equal({ a: 'v' });
    }
    const upper = await start(rawForm(part('CONTENT-DISPOSITION: form-data; NAME=attachment; FILENAME=a.pdf', PDF)));
    expect(upper.body.data.attachment.filename).to.equal('a.pdf');
  });

  it('reads no file of the server that a body names (S-33)', async () => {
    const files = {
      attachment: { filepath: '/etc/passwd', originalFilename: 'x.pdf', mimetype: 'application/pdf', size: 9 },
    };
    const path = '/api/workflow/start/takes-all';
    const json = await holdpoint.ask(path, { body: { data: {}, files } });
    expect(refusal(json)).to.deep.equal({ status: 400, code: 'INVALID_REQUEST' });
    await leavesNothing(async () => {
      const inData = await holdpoint.ask(path, { body: { data: { files, attachment: files.attachment } } });
      expect(inData.body.data).to.deep.equal({ files, attachment: files.attachment });
      const asField = await start(formOf({ files: JSON.stringify(files), filepath: '/etc/passwd' }));
      expect(asField.body.data).to.deep.equal({ files: JSON.stringify(files), filepath: '/etc/passwd' });
      const disguised = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
      expect((await holdpoint.ask(path, { body: { data: {}, files }, headers: disguised })).status).to.equal(400);
    });
  });

  it('is read as what its content type says, and only where a route takes forms', async () => {
    const body = rawForm(part('Content-Disposition: form-data; name="a"', 'v'));
    const typed = (type: string) => start(body, { headers: { 'content-type': type } });
    expect((await typed('multipart/form-data')).status).to.equal(400);
    expect((await typed('multipart/form-data; boundary=')).status).to.equal(400);
    expect((await typed(`multipart/mixed; boundary=${BOUNDARY}`)).status).to.equal(415);
    expect((await typed(`MULTIPART/Form-Data; boundary="${BOUNDARY}"`)).status).to.equal(200);
    expect((await start(body, { headers: { 'content-encoding': 'gzip' } })).status).to.equal(415);
    const elsewhere = await postForm(`${holdpoint.address}/api/workflows`, { key: editor, body });
    expect(elsewhere.status).to.equal(415);
  });

  it('is answered with 4xx however a form is broken, and no broken one keeps its place', async () => {
    const whole = rawForm(
      part('Content-Disposition: form-data; name="a"', 'v'),
      part('Content-Disposition: form-data; name="attachment"; filename="a.pdf"\r\nContent-Type: application/pdf', PDF),
    );
    let seed = 1;
    const next = (limit: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % limit;
    };
    for (let length = 0; length < whole.length; length += 13) {
      expect((await start(whole.subarray(0, length))).status, `cut at ${length}`).to.be.below(500);
    }
    for (let round = 0; round < 40; round += 1) {
      const broken = Buffer.from(whole);
      for (let change = 0; change < 3; change += 1) broken[next(broken.length)] = next(256);
      const { status } = await start(broken);
      expect(status, broken.toString('latin1')).to.be.oneOf([200, 400, 415]);
    }
    const answers = await Promise.all(Array.from({ length: PARALLEL / 2 }, () => send({ content: PDF })));
    expect(answers.map(({ status }) => status)).to.deep.equal(answers.map(() => 200));
  });

  it('is one of a few at a time; the others are told to come again, and hold nothing meanwhile (S-57)', async () => {
    const other = await createWorkspace(holdpoint.db);
    await call(`${holdpoint.address}/api/workflows`, { key: other.keys.editor, body: TAKES_ALL });
    const slow = await Promise.all(Array.from({ length: PARALLEL }, () => openUpload(holdpoint.address, editor)));
    const answers = () => slow.map((upload) => upload.answer()).filter((answer) => answer !== '');
    await eventually(() => answers().length === PARALLEL / 2, { what: 'a place for half of them' });
    for (const answer of answers()) expect(answer).to.match(/^HTTP\/1\.1 429 /);
    const refused = await send({ content: PDF });
    expect({ ...refusal(refused), retry: refused.headers.get('retry-after') }).to.deep.equal({
      status: 429,
      code: 'RATE_LIMIT_EXCEEDED',
      retry: '1',
    });
    const theirs = await start(formOf({}, { attachment: { content: PDF } }), { key: other.keys.editor });
    expect(theirs.status).to.equal(200);
    for (const upload of slow) upload.abandon();
    await eventually(async () => (await send({ content: PDF })).status === 200, { what: 'room again' });

    const content = Buffer.alloc(LIMIT, 'x');
    const rows = await countRows();
    const flood = await Promise.all(
      Array.from({ length: 12 }, () => send({ content, filename: 'a.txt', type: 'text/plain' })),
    );
    const taken = flood.filter(({ status }) => status === 200).length;
    expect(flood.filter(({ status }) => status === 429)).to.have.length(12 - taken);
    expect(taken).to.be.at.least(1);
    expect((await countRows()) - rows).to.equal(taken);
  });

  it('counts against what its workspace may store (S-57)', async () => {
    const other = await createWorkspace(holdpoint.db);
    const key = other.keys.editor;
    await call(`${holdpoint.address}/api/workflows`, { key, body: TAKES_ALL });
    await holdpoint.db.pool.query(
      `INSERT INTO files (id, workspace_id, run_id, filename, content_type, size, sha256, created_by)
       SELECT gen_random_uuid(), $1, gen_random_uuid(), 'a.txt', 'text/plain', 1048576, decode(repeat('00', 32), 'hex'), 'u'
         FROM generate_series(1, 64)`,
      [other.id],
    );
    await leavesNothing(async () => {
      const answer = await start(formOf({}, { attachment: { content: PDF } }), { key });
      expect(refusal(answer)).to.deep.equal({ status: 413, code: 'QUOTA_EXCEEDED' });
    });
  });
});

/** How many files below a folder this process holds open; Linux only knows. */
function countDescriptors(folder: string): number {
  if (process.platform !== 'linux') return 0;
  const paths = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // closed since it was listed
    }
  });
  return paths.filter((path) => path.startsWith(folder)).length;
}

const HEAD = part('Content-Disposition: form-data; name="attachment"; filename="a.txt"', '').subarray(0, -2);

/** Sends the first half of an upload and then nothing. */
async function openUpload(address: string, key: string): Promise<{ answer(): string; abandon(): void }> {
  const socket = await connectTo(address, key, `Content-Length: ${LIMIT}`);
  let answer = '';
  socket.on('data', (data) => {
    answer += String(data);
  });
  socket.write(Buffer.concat([HEAD, Buffer.alloc(LIMIT / 2, 'x')]));
  return { answer: () => answer, abandon: () => socket.destroy() };
}

/** Sends a file that has no end until the server answers; resolves with the first line of the answer. */
async function sendEndlessly(address: string, key: string): Promise<string> {
  const socket = await connectTo(address, key, 'Transfer-Encoding: chunked');
  const chunk = (content: Buffer) =>
    Buffer.concat([Buffer.from(`${content.length.toString(16)}\r\n`), content, Buffer.from('\r\n')]);
  const filler = chunk(Buffer.alloc(65_536, 'x'));
  const answer = once(socket, 'data').then(([data]) => String(data).split('\r\n')[0]!);
  let isAnswered = false;
  void answer.then(() => {
    isAnswered = true;
  });
  socket.write(chunk(HEAD));
  while (!isAnswered) if (!socket.write(filler)) await Promise.race([once(socket, 'drain'), answer]);
  socket.destroy();
  return answer;
}

async function connectTo(address: string, key: string, length: string): Promise<Socket> {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {}); // cut off by the server, or abandoned
  await once(socket, 'connect');
  const head = [
    'POST /api/workflow/start/takes-all HTTP/1.1',
    'Host: holdpoint',
    `Authorization: Bearer ${key}`,
    `Content-Type: multipart/form-data; boundary=${BOUNDARY}`,
    length,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  return socket;
}
