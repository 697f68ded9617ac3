// The attacks that were thought of before there was anything to attack, by number: each is named, as "(S-12)", by the tests
// that make it. This file only sees to it that none is forgotten.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const TEST = fileURLToPath(new URL('.', import.meta.url));

const ATTACKS: Readonly<Record<string, string>> = {
  'S-01': 'no credential, on every route',
  'S-02': 'suffixes and other spellings of protected paths',
  'S-03': 'other methods, and headers that ask for one',
  'S-04': 'a good key without its workspace',
  'S-05': 'a good key with another workspace',
  'S-08': 'a revoked or expired key',
  'S-09': 'a key that begins like a good one',
  'S-10': 'keys in the database and in logs',
  'S-11': 'guessing keys',
  'S-12': 'ids of another workspace, on every route',
  'S-14': 'ids of another workspace inside bodies',
  'S-15': 'a key in the path or the query',
  'S-16': 'reading past a forgotten condition: row-level security',
  'S-17': 'tokens without an algorithm',
  'S-18': 'tokens signed with a public key as a secret',
  'S-19': 'odd and foreign key ids in tokens',
  'S-20': 'tokens that bring their key along',
  'S-21': 'tokens outside their time',
  'S-22': 'tokens for others, or from others',
  'S-23': 'tokens that ask for a higher role',
  'S-24': 'tokens of other shapes, unsigned or edited',
  'S-26': 'weak signing keys',
  'S-27': 'every route as every role',
  'S-28': 'changing as a viewer',
  'S-29': 'permanent delete by others than the owner, or too early',
  'S-30': 'approvals by others than those who may, or too late',
  'S-31': 'members that no route names',
  'S-32': 'the last owner, and raising oneself',
  'S-33': 'bodies that name files of the server',
  'S-34': 'changing prototypes',
  'S-36': 'nesting without end',
  'S-37': 'bodies of wrong, lying or endless length, and bombs',
  'S-40': 'numbers that would be changed',
  'S-42': 'SQL in texts',
  'S-43': 'patterns that take for ever',
  'S-44': 'schemas that fetch, recur or are huge',
  'S-45': 'slow, pipelined and smuggled requests',
  'S-48': 'definitions of extreme size and shape',
  'S-49': 'definitions that would never end',
  'S-50': 'a file one byte too large',
  'S-52': 'file names that are paths or worse',
  'S-53': 'files that are something else than they say',
  'S-54': 'files that stop whoever looks at their kind',
  'S-55': 'archives that would fill the memory',
  'S-56': 'files of others, or of runs that are gone',
  'S-57': 'many files at once',
  'S-68': 'expressions that reach for code',
  'S-69': 'expressions that cost too much',
  'S-71': 'secrets where others can read them',
  'S-72': 'data that leaves its place in a request',
  'S-73': 'text that is run as code',
  'S-74': 'answers to runs that do not wait for them',
  'S-75': 'one idempotency key for two requests',
  'S-76': 'starting what is archived or not there',
  'S-78': 'guessing the ids of runs',
};

/** Numbers that the list never had. */
const NEVER = [6, 7, 13, 25, 35, 38, 39, 41, 46, 47, 51, 70, 77];

describe('the list of attacks', () => {
  const sources = readdirSync(TEST, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && path !== 'attacks.test.ts')
    .map((path) => readFileSync(join(TEST, path), 'utf8'));
  const named = new Set(sources.flatMap((source) => source.match(/\bS-\d\d\b/g) ?? []));

  for (const [number, attack] of Object.entries(ATTACKS)) {
    it(`${number}, ${attack}, is tried by a test that names it`, () => {
      expect(named.has(number)).to.equal(true);
    });
  }

  it('has every number up to 57, and from 68 to 78', () => {
    const range = [...Array(57).keys(), ...[...Array(11).keys()].map((index) => 67 + index)].map((index) => index + 1);
    const all = range.filter((number) => !NEVER.includes(number)).map((number) => `S-${`${number}`.padStart(2, '0')}`);
    expect(Object.keys(ATTACKS)).to.deep.equal(all);
  });
});
