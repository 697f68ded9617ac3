// Tools that read the file of their run, to its end or not.

import { createHash } from 'node:crypto';
import { defineTool } from '../../src/steps/tools.ts';

/** Reads a file and says what it is, and what was really read. */
export const readFile = defineTool<{ fileId: string }>({
  name: 'read-file',
  async handler({ fileId }, { openFile }) {
    const { content, ...file } = await openFile(fileId);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of content) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
    return { file: { ...file }, bytes, hash: hash.digest('hex') };
  },
});

/** Opens a file many times and reads none of it. */
export const leaveFile = defineTool<{ fileId: string; times: number }>({
  name: 'leave-file',
  async handler({ fileId, times }, { openFile }) {
    for (let time = 0; time < times; time += 1) await openFile(fileId);
    return { opened: times };
  },
});
