// The headers of a download: an attachment that no browser renders, whatever is in it.

interface Downloaded {
  filename: string;
  contentType: string;
  /** In bytes. */
  size: number;
}

export function describeDownload({ filename, contentType, size }: Downloaded): Record<string, string> {
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
