import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadCredentials } from '../src/standalone-credentials.ts';

describe('the credentials of a standalone', () => {
  let dataDir: string;
  const nothing = { bootstrapApiKey: null, bootstrapWorkspace: null, secretKeys: [] };
  const load = (settings: object = {}) => loadCredentials({ dataDir, ...nothing, ...settings });
  const file = () => join(dataDir, 'credentials.json');
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'credentials-'));
  });
  afterEach(() => rm(dataDir, { recursive: true }));

  it('are made once, for nobody else to read, and kept', async () => {
    const made = await load();
    expect(made.apiKey).to.match(/^sk_[A-Za-z0-9_-]{43}$/);
    expect(made.secretKeys.map((key) => key.length)).to.deep.equal([32]);
    expect(made.workspace).to.equal('default');
    expect((await stat(file())).mode & 0o777).to.equal(0o600);
    expect(await load()).to.deep.equal(made);
  });

  it('are the same for two first starts at once', async () => {
    const [one, two] = await Promise.all([load(), load()]);
    expect(one).to.deep.equal(two);
  });

  it('gain the secret key that an older file lacks, and keep the rest', async () => {
    await writeFile(file(), '{"apiKey": "sk_mine", "workspace": "acme"}');
    const loaded = await load();
    expect(loaded).to.include({ apiKey: 'sk_mine', workspace: 'acme' });
    expect(await load()).to.deep.equal(loaded);
    expect(JSON.parse(await readFile(file(), 'utf8'))).to.include({ apiKey: 'sk_mine', workspace: 'acme' });
  });

  it('come from the settings where those name them', async () => {
    const secretKeys = [Buffer.alloc(32, 1)];
    const all = await load({ bootstrapApiKey: 'sk_theirs', bootstrapWorkspace: 'acme', secretKeys });
    expect(all).to.deep.equal({ apiKey: 'sk_theirs', workspace: 'acme', secretKeys });
    expect(await stat(file()).catch(() => null)).to.equal(null);
    const some = await load({ bootstrapApiKey: 'sk_theirs' });
    expect(some).to.include({ apiKey: 'sk_theirs', workspace: 'default' });
    expect(Object.keys(JSON.parse(await readFile(file(), 'utf8')))).to.deep.equal(['secretKey']);
    expect((await load({ bootstrapApiKey: 'sk_theirs' })).secretKeys).to.deep.equal(some.secretKeys);
  });

  it('are not guessed from a file that is broken', async () => {
    for (const content of [
      '{',
      '[]x',
      '{"apiKey": 5}',
      '{"apiKey": "sk_a", "workspace": "b", "secretKey": "short"}',
      'null',
    ]) {
      await writeFile(file(), content);
      const error = await load().catch((reason: Error) => reason);
      expect(error, content).to.be.an('error').with.property('message').that.includes('Mend it');
    }
  });
});
