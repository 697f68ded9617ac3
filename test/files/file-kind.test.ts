import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createDeflateRaw } from 'node:zlib';
import { expect } from 'chai';
import { findFileKind } from '../../src/files/file-kind.ts';
import * as samples from '../support/sample-files.ts';

const kindOf = async (content: Uint8Array | string, filename = 'x', contentType = 'application/octet-stream') =>
  (await findFileKind(typeof content === 'string' ? Buffer.from(content) : content, { filename, contentType }))
    ?.contentType ?? null;

const OOXML = 'application/vnd.openxmlformats-officedocument';

describe('what a file is', () => {
  const taken: [string, Buffer, string][] = [
    ['a PDF', samples.PDF, 'application/pdf'],
    ['a PNG', samples.PNG, 'image/png'],
    ['a GIF', samples.GIF, 'image/gif'],
    ['a JPEG', samples.JPEG, 'image/jpeg'],
    ['a Word document', samples.DOCX, `${OOXML}.wordprocessingml.document`],
    ['an OpenDocument text', samples.ODT, 'application/vnd.oasis.opendocument.text'],
    ['an old Word document', samples.compoundFile('WordDocument'), 'application/msword'],
    ['an old Excel sheet', samples.compoundFile('Workbook'), 'application/vnd.ms-excel'],
    ['an old slide show', samples.compoundFile('PowerPoint Document'), 'application/vnd.ms-powerpoint'],
    ['RTF', Buffer.from('{\\rtf1 hello}'), 'application/rtf'],
    ['plain text', Buffer.from('Dear Sir,\r\n\tfive < six.\n'), 'text/plain'],
    ['text of an old code page', Buffer.from('Müller;Köln', 'latin1'), 'text/plain'],
    ['UTF-16 with its mark', Buffer.from('\ufeffMüller', 'utf16le'), 'text/plain'],
  ];
  for (const [what, content, contentType] of taken) {
    it(`is told by its bytes, whatever it is called: ${what}`, async () => {
      expect(await kindOf(content, 'page.html', 'text/html')).to.equal(contentType);
    });
  }

  it('lets the sender choose between kinds of text, and of nothing else', async () => {
    expect(await kindOf('a;b\n1;2', 'list.CSV')).to.equal('text/csv');
    expect(await kindOf('a,b', 'x', 'text/csv; charset=utf-8')).to.equal('text/csv');
    expect(await kindOf(' {"a": 1}', 'a.json')).to.equal('application/json');
    expect(await kindOf('[1]', 'x', 'application/json')).to.equal('application/json');
    expect(await kindOf('no json at all', 'a.json')).to.equal('text/plain');
    expect(await kindOf(samples.PNG, 'a.json', 'application/json')).to.equal('image/png');
  });

  const refused: [string, Buffer][] = [
    ['HTML', Buffer.from('<!DOCTYPE html><script>alert(1)</script>')],
    ['HTML behind white space', Buffer.from(`${' \n\t'.repeat(500)}<html>`)],
    ['HTML behind a mark', Buffer.from('\ufeff<html>')],
    ['HTML in UTF-16', Buffer.from('\ufeff<html>', 'utf16le')],
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')],
    ['SVG as XML', Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['PHP', Buffer.from('<?php system($_GET["c"]);')],
    ['a shell script', Buffer.from('#!/bin/sh\nrm -rf /\n')],
    ['a program of Windows', samples.EXE],
    ['a program of Linux', Buffer.from(`7f454c4602010100${'00'.repeat(60)}`, 'hex')],
    ['an archive', samples.ZIP],
    ['a document with macros', samples.DOCM],
    ['an installer (compound file)', samples.compoundFile('!MSI tables')],
    ['a flat binary', Buffer.from([1, 2, 3, 4, 5, 6, 7, 8])],
    ['text with a NUL', Buffer.from('a\0b')],
    ['broken UTF-16', Buffer.from([0xff, 0xfe, 0x00, 0xd8, 0x41, 0x00])],
  ];
  for (const [what, content] of refused) {
    it(`is refused where it is none that is taken, though it says that it is a PDF (S-53): ${what}`, async () => {
      expect(await kindOf(content, 'invoice.pdf', 'application/pdf')).to.equal(null);
    });
  }

  it('is told of polyglots by how they begin; they are only ever sent as attachments (S-53)', async () => {
    expect(await kindOf(Buffer.concat([samples.GIF, samples.ZIP]))).to.equal('image/gif');
    expect(await kindOf(Buffer.concat([samples.PDF, Buffer.from('<script>alert(1)</script>')]))).to.equal(
      'application/pdf',
    );
  });

  it('is found for the ASF header whose first part has no size, which once looped for ever (S-54)', async () => {
    const asf = Buffer.concat([
      Buffer.from('3026b2758e66cf11a6d900aa0062ce6c', 'hex'),
      Buffer.alloc(14, 1),
      Buffer.alloc(16, 7),
      Buffer.alloc(9),
    ]);
    expect(asf).to.have.length(55);
    expect(await kindOf(asf)).to.equal(null);
  });

  it('is found without unpacking: a bomb stays as small as it came (S-54, S-55)', async () => {
    const MiB = 1_048_576;
    const zeros = Readable.from(Array.from({ length: 256 }, () => Buffer.alloc(MiB)));
    const deflated = await buffer(zeros.pipe(createDeflateRaw()));
    const bomb = zipOf(deflated, 256 * MiB);
    const before = process.resourceUsage().maxRSS;
    expect(await kindOf(bomb)).to.be.oneOf([null, `${OOXML}.wordprocessingml.document`]);
    expect(process.resourceUsage().maxRSS - before).to.be.below(64 * 1_024);
  });

  it('is found for any bytes at all, cut anywhere, without failing', async () => {
    for (const sample of [samples.PDF, samples.PNG, samples.DOCX, samples.ODT, samples.compoundFile('WordDocument')]) {
      for (let length = 0; length < Math.min(sample.length, 400); length += 7) {
        const kind = await findFileKind(sample.subarray(0, length), { filename: '', contentType: '' });
        expect(kind === null || kind.extensions.length > 0).to.equal(true);
      }
    }
  });
});

function zipOf(deflated: Buffer, size: number): Buffer {
  return samples.zipOf({ '[Content_Types].xml': { deflated, size }, 'word/document.xml': Buffer.from('<x/>') });
}
