import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { v7 as newId } from 'uuid';
import { type FileStorage, openStorage } from '../../src/files/storage.ts';
import { eventually } from '../support/eventually.ts';
import { getReaper } from '../support/reaper.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';

const LARGEST = 3_932_160;
const newKey = () => `${newId()}/${newId()}`;

describe('a storage of files', () => {
  let s3: S3Server;
  const folder = mkdtempSync(join(getReaper().folder, 'files-'));
  const storages = new Map<string, FileStorage>();
  before(async () => {
    s3 = await startS3Server();
    storages.set('on disk', await openStorage({ folder: join(folder, 'made', 'when-needed'), s3: null }));
    storages.set('in S3', await openStorage({ folder, s3: s3.settings }));
  });
  after(async () => {
    for (const storage of storages.values()) await storage.close();
    await s3.stop();
  });

  for (const kind of ['on disk', 'in S3']) {
    describe(kind, () => {
      const at = () => storages.get(kind)!;

      it('gives back every byte of what was put, small and as large as can be', async () => {
        for (const content of [Buffer.from([0]), Buffer.alloc(LARGEST, 'äöü€')]) {
          const key = newKey();
          await at().put(key, content);
          const found = await buffer((await at().open(key))!);
          expect(found.equals(content)).to.equal(true);
        }
      });

      it('has no content under a key that nothing was put under', async () => {
        expect(await at().open(newKey())).to.equal(null);
      });

      it('removes what is there, and does not mind what is not', async () => {
        const key = newKey();
        await at().remove(key);
        await at().put(key, Buffer.from('x'));
        await at().remove(key);
        expect(await at().open(key)).to.equal(null);
      });

      it('keeps the files of one workspace apart from those of another', async () => {
        const file = newId();
        const [ours, theirs] = [`${newId()}/${file}`, `${newId()}/${file}`];
        await at().put(ours, Buffer.from('ours'));
        expect(await at().open(theirs)).to.equal(null);
        await at().put(theirs, Buffer.from('theirs'));
        await at().remove(theirs);
        expect((await buffer((await at().open(ours))!)).toString()).to.equal('ours');
      });

      it('lets a reader go in the middle', async () => {
        const key = newKey();
        await at().put(key, Buffer.alloc(LARGEST));
        const content: Readable = (await at().open(key))!;
        for await (const chunk of content) {
          expect(chunk).to.have.length.above(0);
          break;
        }
        await eventually(() => content.destroyed, { what: 'the end of its connection' });
        expect(await buffer((await at().open(key))!)).to.have.length(LARGEST);
      });

      it('says that files could be kept, also before the first one', async () => {
        expect(await at().probe()).to.deep.equal({ ok: true });
      });

      it('takes nothing for a key that is not two ids', async () => {
        for (const key of ['../../etc/passwd', `${newId()}/../x`, `${newId()}`, `${newId()}/${newId()}/x`, '']) {
          for (const call of [() => at().open(key), () => at().put(key, Buffer.from('x')), () => at().remove(key)]) {
            expect(await call().then(String, (error: Error) => error.message)).to.match(/is no key of a file/);
          }
        }
      });
    });
  }

  it('on disk is never written over, and belongs to its user alone', async () => {
    const [key, disk] = [newKey(), storages.get('on disk')!];
    await disk.put(key, Buffer.from('first'));
    const again = await disk.put(key, Buffer.from('second')).then(String, (error: Error) => error.message);
    expect(again).to.match(/EEXIST/);
    expect((await buffer((await disk.open(key))!)).toString()).to.equal('first');
    expect(readdirSync(folder)).to.deep.equal(['made']);
  });

  it('on disk says when its folder cannot be written to, and not where that is', async () => {
    const disk = await openStorage({ folder: '/dev/null/files', s3: null });
    expect(await disk.probe()).to.deep.equal({
      ok: false,
      message: 'the folder of files cannot be written to (ENOTDIR)',
    });
  });

  it('in S3 says that it could not keep files when its keys are wrong, or nobody is there', async () => {
    const probe = async (settings: Partial<S3Server['settings']>) => {
      const storage = await openStorage({ folder, s3: { ...s3.settings, ...settings } });
      return storage.probe().finally(() => storage.close());
    };
    const refusal = (message: string) => ({ ok: false, message: `the bucket of files ${message}` });
    const credentials = { accessKeyId: 'nobody', secretAccessKey: 'nothing' };
    expect(await probe({ credentials })).to.deep.equal(refusal('refuses its keys'));
    expect(await probe({ bucket: 'other-bucket' })).to.deep.equal(refusal('is not there'));
    expect(await probe({ endpoint: 'http://127.0.0.1:1' })).to.deep.equal(refusal('does not answer'));
  });

  it('in S3 says when its keys are wrong, or nobody is there', async () => {
    const put = async (settings: Partial<S3Server['settings']>) => {
      const storage = await openStorage({ folder, s3: { ...s3.settings, ...settings } });
      const answer = await storage.put(newKey(), Buffer.from('x')).then(String, (error: Error) => error.name);
      await storage.close();
      return answer;
    };
    const credentials = { accessKeyId: 'nobody', secretAccessKey: 'nothing' };
    expect(await put({ credentials })).to.equal('InvalidAccessKeyId');
    expect(await put({ bucket: 'other-bucket' })).to.equal('NoSuchBucket');
    expect(await put({ endpoint: 'http://127.0.0.1:1' })).to.match(/Error$/);
  });
});
