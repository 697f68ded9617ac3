// Files as downloads: sent as attachments that no browser renders, whatever is in them.

import { AppError } from '../core/errors.ts';
import type { Engine } from '../engine/engine.ts';
import { openFile } from '../engine/open-file.ts';
import { defineRoute, type Reply, type Route, type RouteRequest } from './route.ts';

export function createFileRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/files/:fileId',
      role: 'viewer',
      tag: 'Files',
      summary: 'Download a file that a run was started with',
      responses: { 200: { description: 'The content, as an attachment', contentType: 'application/octet-stream' } },
      async handler({ actor, params }: RouteRequest): Promise<Reply> {
        const opened = await openFile(engine, { workspaceId: actor.workspaceId, fileId: params['fileId']! });
        if (opened === null) throw new AppError('file_not_found', 'no file here has this id');
        return { headers: headersOf(opened.file), body: opened.content };
      },
    }),
  ];
}

function headersOf({ filename, contentType, size }: { filename: string; contentType: string; size: number }) {
  return {
    'content-type': contentType,
    'content-length': String(size),
    'content-disposition': nameAttachment(filename),
    'content-security-policy': "sandbox; default-src 'none'",
    'accept-ranges': 'none',
  };
}

/** RFC 6266: the name in ASCII for old clients, and as it is (RFC 8187). A kept name has neither quotes nor controls. */
function nameAttachment(filename: string): string {
  const ascii = filename
    .normalize('NFKD')
    .replace(/[^ -~]/g, '_')
    .replaceAll('%', '_');
  const encoded = encodeURIComponent(filename).replace(/['()*]/g, (found) => `%${found.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
