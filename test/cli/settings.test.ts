import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSettings, setEnvironment } from '../../src/cli/settings.ts';
import { forgetAddress, noteAddress } from '../../src/standalone-address.ts';
import { getReaper } from '../support/reaper.ts';

describe('the settings of the command line', () => {
  const folder = mkdtempSync(join(getReaper().folder, 'credentials-'));
  writeFileSync(join(folder, 'credentials.json'), JSON.stringify({ apiKey: 'sk_local', workspace: 'here' }));
  const local = { HOLDPOINT_DATA_DIR: folder };

  it('come from flags, then from the environment, then from the server of this folder', () => {
    const env = {
      ...local,
      HOLDPOINT_URL: 'https://hp.example',
      HOLDPOINT_API_KEY: 'sk_env',
      HOLDPOINT_WORKSPACE: 'w',
    };
    expect(readSettings({ url: 'http://other.example', apiKey: 'sk_flag', pod: 'p' }, env)).to.deep.equal({
      baseUrl: 'http://other.example',
      apiKey: 'sk_flag',
      workspace: 'w',
      keySource: '--api-key',
      pod: 'p',
    });
    expect(readSettings({}, env)).to.deep.equal({
      baseUrl: 'https://hp.example',
      apiKey: 'sk_env',
      workspace: 'w',
      keySource: 'HOLDPOINT_API_KEY',
    });
    expect(readSettings({}, local)).to.deep.equal({
      baseUrl: 'http://127.0.0.1:3000',
      apiKey: 'sk_local',
      workspace: 'here',
      keySource: join(folder, 'credentials.json'),
    });
  });

  it('never send the key of this machine’s server to another', () => {
    expect(() => readSettings({ url: 'https://hp.example' }, local)).to.throw(/no API key for https:\/\/hp\.example/);
    for (const url of ['http://localhost:4000', 'http://127.0.0.1:1', 'http://[::1]:3000'])
      expect(readSettings({ url }, local).apiKey).to.equal('sk_local');
  });

  it('have the address that a server of this folder listens at', async () => {
    const dataDir = mkdtempSync(join(folder, 'running-'));
    writeFileSync(join(dataDir, 'credentials.json'), JSON.stringify({ apiKey: 'sk_local' }));
    const env = { HOLDPOINT_DATA_DIR: dataDir };
    await noteAddress(dataDir, 'http://127.0.0.1:4321');
    expect(readSettings({}, env)).to.include({ baseUrl: 'http://127.0.0.1:4321', apiKey: 'sk_local' });
    expect(readSettings({ url: 'http://localhost:1' }, env).baseUrl).to.equal('http://localhost:1');
    await forgetAddress(dataDir);
    expect(readSettings({}, env).baseUrl).to.equal('http://127.0.0.1:3000');
    await noteAddress(join(dataDir, 'credentials.json'), 'where nobody can write');
  });

  it('say what is wrong with an address', () => {
    for (const url of ['example.com', 'ftp://example.com'])
      expect(() => readSettings({ url }, local)).to.throw(/no address of a server/);
  });

  it('become the environment of a process: defaults where nothing is set, flags in any case', () => {
    const env: Record<string, string | undefined> = { HOST: '0.0.0.0', PORT: '3000', LOG_LEVEL: '' };
    setEnvironment(
      { defaults: { HOST: '127.0.0.1', LOG_LEVEL: 'warn' }, flags: { PORT: '4000', OTHER: undefined } },
      env,
    );
    expect(env).to.deep.equal({ HOST: '0.0.0.0', PORT: '4000', LOG_LEVEL: 'warn' });
  });
});
