// Commands that people may paste: how this program was called, and what answers an execution. What workflows say stands in
// them as quoted words, so that a shell takes it for nothing else.

import type { Interrupt } from '../sdk/api-types.ts';
import type { GlobalFlags } from './settings.ts';

/** As it was called now, with the flags that say where the server is; never with the key. */
export function nameProgram({ url, workspace, pod }: GlobalFlags, isByNpx: boolean): string {
  const name = isByNpx ? 'npx holdpoint' : 'holdpoint';
  const flags = Object.entries({ url, workspace, pod }).flatMap(([flag, value]) =>
    value === undefined ? [] : [`--${flag} ${quote(value)}`],
  );
  return [name, ...flags].join(' ');
}

/** Commands that answer what an execution waits for; `…` is for people to fill in. */
export function suggestAnswers(
  program: string,
  id: string,
  { type, fields, options, actions = [], nodeId }: Interrupt,
): string[] {
  const suggest = (verb: string, ...flags: string[]) =>
    [program, verb, id, ...(nodeId === undefined ? [] : [`--node ${quote(nodeId)}`]), ...flags].join(' ');
  switch (type) {
    case 'approval': {
      const plain = actions.every(({ outcome }) => outcome !== undefined);
      if (plain) return [suggest('approve'), suggest('reject', `--reason '…'`)];
      return actions.map((action) => suggest('resume', `--action ${quote(action.id)}`));
    }
    case 'question':
      return [suggest('resume', `--answer ${quote(String(options?.[0] ?? '…'))}`)];
    case 'inputs': {
      const names = Object.keys(fields ?? {}).map((name) => `${JSON.stringify(name)}: …`);
      return [suggest('resume', `--data ${quote(`{${names.join(', ')}}`)}`)];
    }
    case 'hold':
      return [];
  }
}

/** One word to a POSIX shell, whatever is in it. */
export function quote(word: string): string {
  return /^[\w.:/@-]+$/.test(word) && !word.startsWith('-') ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
