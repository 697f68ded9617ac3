import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { nameProgram, quote, suggestAnswers } from '../../src/cli/suggestions.ts';
import type { Interrupt } from '../../src/sdk/api-types.ts';

describe('the commands that the command line suggests', () => {
  const suggest = (interrupt: object) => suggestAnswers('holdpoint', 'x1', interrupt as Interrupt);

  it('answer each kind of question', () => {
    const outcomes = [{ id: 'approve', label: 'Yes', outcome: 'approved' }];
    expect(suggest({ type: 'approval', nodeId: 'gate', actions: outcomes })).to.deep.equal([
      'holdpoint approve x1 --node gate',
      "holdpoint reject x1 --node gate --reason '…'",
    ]);
    const actions = [{ id: 'later', label: 'Later' }];
    expect(suggest({ type: 'approval', actions })).to.deep.equal(['holdpoint resume x1 --action later']);
    expect(suggest({ type: 'question', options: ['dark red'] })).to.deep.equal([
      "holdpoint resume x1 --answer 'dark red'",
    ]);
    const fields = { name: { type: 'string' }, age: { type: 'number' } };
    expect(suggest({ type: 'inputs', fields })).to.deep.equal([`holdpoint resume x1 --data '{"name": …, "age": …}'`]);
    expect(suggest({ type: 'hold' })).to.deep.equal([]);
  });

  it('are one word to a shell wherever a workflow had a say in them', () => {
    const words = ["it's red", "'; touch /tmp/owned #", '$(id) `id` "x" \\', '--reason', '*', '', 'plain-1'];
    const commands = words.flatMap((word) => suggest({ type: 'question', options: [word] }));
    const script = ['holdpoint() { for one; do printf "<%s>" "$one"; done; echo; }', ...commands].join('\n');
    const printed = String(execFileSync('sh', ['-c', script]))
      .trimEnd()
      .split('\n');
    expect(printed).to.deep.equal(words.map((word) => `<resume><x1><--answer><${word}>`));
    expect(quote('plain-1')).to.equal('plain-1');
  });

  it('ask the same server, by the program as it was called, and never tell the key', () => {
    expect(nameProgram({ apiKey: 'sk_secret' }, false)).to.equal('holdpoint');
    expect(nameProgram({ url: 'http://h:1', pod: 'p q', apiKey: 'sk_secret' }, true)).to.equal(
      "npx holdpoint --url http://h:1 --pod 'p q'",
    );
  });
});
