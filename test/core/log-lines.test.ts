import { expect } from 'chai';
import { findJsonProblems, type Json } from '../../src/core/json.ts';
import { toLogLine } from '../../src/core/log-lines.ts';

const asIs = (value: Json) => value;
const line = (message: unknown, data?: unknown, clean = asIs) => toLogLine('info', message, data, clean);
const dataOf = (data: unknown) => JSON.parse(line('said', data).data!);

describe('a line that a handler logs', () => {
  it('is kept as it was said', () => {
    expect(line('sent', { id: 7, to: ['a'] })).to.deep.equal({
      level: 'info',
      message: 'sent',
      data: '{"id":7,"to":["a"]}',
    });
    expect(line('sent')).to.deep.equal({ level: 'info', message: 'sent', data: null });
    expect(line('sent', null).data).to.equal(null);
  });

  it('may be anything, and can always be stored', () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const deep = JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`);
    const throwing = {
      toJSON() {
        throw new Error('no');
      },
    };
    for (const message of [
      undefined,
      null,
      7,
      10n,
      Symbol('s'),
      { a: 1 },
      circular,
      new Error('broke'),
      'a\u0000b\ud800',
    ])
      expect(findJsonProblems(line(message).message), String(typeof message)).to.deep.equal([]);
    for (const data of [
      circular,
      { n: 1n },
      deep,
      throwing,
      { text: 'a\u0000b' },
      { text: '\ud800' },
      { f() {} },
      'text',
      [1],
      7,
    ])
      expect(findJsonProblems(dataOf(data))).to.deep.equal([]);
    expect(line(new Error('broke')).message).to.equal('broke');
    expect(dataOf('text')).to.deep.equal({ value: 'text' });
    expect(dataOf({ error: new TypeError('no') })).to.deep.equal({ error: { name: 'TypeError', message: 'no' } });
    expect(dataOf(circular)).to.deep.equal({ dropped: 'the data is no JSON' });
    expect(dataOf({ text: 'a\u0000b' }).dropped).to.include('NUL');
  });

  it('is cut where it is too long, and says so', () => {
    const { message } = line('x'.repeat(5_000));
    expect(message).to.have.length(2_000);
    expect(message.endsWith('… (cut)')).to.equal(true);
    const long = dataOf({ text: 'y'.repeat(9_000) });
    expect(long.dropped).to.equal('the data is too long');
    expect(long.begins).to.have.length(1_000);
    expect(dataOf({ text: 'y'.repeat(300_000) })).to.deep.equal({ dropped: 'the data is too long' });
    expect(findJsonProblems(line(`${'x'.repeat(1_992)}😀😀😀😀😀`).message)).to.deep.equal([]);
  });

  it('is cleaned before anything of it is kept', () => {
    const clean = (value: Json): Json => JSON.parse(JSON.stringify(value).replaceAll('canary', '***'));
    const { message, data } = line('the canary', { text: `canary${'y'.repeat(9_000)}` }, clean);
    expect(message).to.equal('the ***');
    expect(data).to.include('***').and.not.include('canary');
  });
});
