import { expect } from 'chai';
import fc from 'fast-check';
import { cleanFilename } from '../../src/core/filename.ts';

const pdf = (name: string) => cleanFilename(name, ['pdf']);

describe('the name of a file', () => {
  it('stays as it is when it is harmless', () => {
    expect(pdf('agreement.pdf')).to.equal('agreement.pdf');
    expect(pdf('Übersicht 2026 (final) – 総覧.PDF')).to.equal('Übersicht 2026 (final) – 総覧.PDF');
    expect(cleanFilename('photo.jpeg', ['jpg', 'jpeg'])).to.equal('photo.jpeg');
  });

  const hostile: [string, string, string][] = [
    ['a path', '../../etc/passwd', 'passwd.pdf'],
    ['a path of Windows', '..\\..\\x', 'x.pdf'],
    ['an absolute path', '/etc/cron.d/evil.pdf', 'evil.pdf'],
    ['a drive', 'C:\\temp\\a.pdf', 'a.pdf'],
    ['a stream of NTFS', 'a.pdf:evil', 'a.pdf_evil.pdf'],
    ['NUL', 'a\0.pdf', 'a.pdf'],
    ['line breaks', 'a\r\nSet-Cookie: x=1.pdf', 'aSet-Cookie_ x=1.pdf'],
    ['an override of the direction', 'invoice\u202efdp.exe', 'invoicefdp.exe.pdf'],
    ['a device', 'CON', '_CON.pdf'],
    ['a device with an extension', 'lpt1.pdf', '_lpt1.pdf'],
    ['a leading dot', '.htaccess', 'htaccess.pdf'],
    ['dots only', '..', 'file.pdf'],
    ['nothing', '', 'file.pdf'],
    ['an extension only', '.pdf', 'pdf.pdf'],
    ['a second extension', 'report.pdf.exe', 'report.pdf.exe.pdf'],
    ['quotes and marks', 'a"b<c>d|e?f*g.pdf', 'a_b_c_d_e_f_g.pdf'],
    ['a lone surrogate', 'a\ud800b.pdf', 'a_b.pdf'],
    ['trailing dots and spaces', 'a.pdf. . ', 'a.pdf'],
  ];
  for (const [what, sent, kept] of hostile) {
    it(`is made harmless (S-52): ${what}`, () => {
      expect(pdf(sent)).to.equal(kept);
    });
  }

  it('is cut to 200 bytes between characters, with its extension (S-52)', () => {
    expect(pdf(`${'a'.repeat(5_000)}.pdf`)).to.equal(`${'a'.repeat(196)}.pdf`);
    expect(pdf(`${'€'.repeat(5_000)}.pdf`)).to.equal(`${'€'.repeat(65)}.pdf`);
    expect(pdf(`a${'😀'.repeat(100)}`)).to.equal(`a${'😀'.repeat(48)}.pdf`);
  });

  it('is never empty, long, unstorable or able to leave its place, whatever was sent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (sent) => {
        const name = cleanFilename(sent, ['txt', 'csv']);
        expect(Buffer.byteLength(name)).to.be.within(5, 200);
        expect(name).to.match(/^[^./\\\p{Cc}"][^/\\\p{Cc}"]*\.(txt|csv)$/iu);
        expect(name.isWellFormed()).to.equal(true);
        expect(cleanFilename(name, ['txt', 'csv'])).to.equal(name);
      }),
      { numRuns: 2_000 },
    );
  });
});
