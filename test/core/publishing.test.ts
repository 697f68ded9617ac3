import { expect } from 'chai';
import {
  ACCEPTS,
  decidePublishing,
  type Publishing,
  type PublishingCommand,
  type WorkflowStatus,
  workflowStatus,
} from '../../src/core/publishing.ts';

const NOW = 1_800_000_000_000;

/** A workflow of three versions in each status; the published one is also seen with a newer draft. */
const STATES: readonly (Publishing & { is: WorkflowStatus })[] = [
  { is: 'draft', latestVersion: 3, latestStatus: 'draft', publishedVersion: null, archivedAt: null },
  { is: 'testing', latestVersion: 3, latestStatus: 'testing', publishedVersion: null, archivedAt: null },
  { is: 'published', latestVersion: 3, latestStatus: 'published', publishedVersion: 3, archivedAt: null },
  { is: 'published', latestVersion: 3, latestStatus: 'draft', publishedVersion: 1, archivedAt: null },
  { is: 'archived', latestVersion: 3, latestStatus: 'draft', publishedVersion: null, archivedAt: 5 },
  { is: 'archived', latestVersion: 3, latestStatus: 'published', publishedVersion: 3, archivedAt: 5 },
];
const COMMANDS: readonly PublishingCommand[] = [
  { type: 'update', status: 'draft' },
  { type: 'publish', version: 2 },
  { type: 'archive' },
  { type: 'unarchive' },
  { type: 'delete' },
];
const usable = STATES.filter(({ is }) => is !== 'archived');

function expectNext(state: Publishing, command: PublishingCommand): Publishing | null {
  const verdict = decidePublishing(state, command, NOW);
  if (verdict.kind !== 'accepted') throw new Error(`${command.type} was ${JSON.stringify(verdict)}`);
  return verdict.next;
}

describe('the life of a workflow', () => {
  it('has a status that is derived: archived, else published, else what its latest version is', () => {
    for (const { is, ...state } of STATES) expect(workflowStatus(state)).to.equal(is);
  });

  for (const command of COMMANDS) {
    for (const { is, ...state } of STATES) {
      const expected = { accept: 'accepted', already: 'already', refused: 'refused' }[ACCEPTS[command.type][is]];
      const published = state.publishedVersion === null ? '' : ` with version ${state.publishedVersion} published`;
      it(`takes ${command.type} while ${is}${published} as ${expected}, and is not changed by it`, () => {
        const before = structuredClone(state);
        const verdict = decidePublishing(state, command, NOW);
        expect(verdict.kind).to.equal(expected);
        expect(state).to.deep.equal(before);
        if (verdict.kind !== 'refused') return;
        expect(verdict.code).to.equal(is === 'archived' ? 'workflow_archived' : 'conflict');
        expect(verdict.message).to.match(
          command.type === 'unarchive' ? /; there is nothing to take back$/ : /; (un)?archive it first$/,
        );
      });
    }
  }

  it('is legal as the table says: archived ones are unarchived or deleted, others are not', () => {
    const legality = (type: PublishingCommand['type']) => Object.values(ACCEPTS[type]).join(' ');
    expect(COMMANDS.map(({ type }) => `${type}: ${legality(type)}`)).to.deep.equal([
      'update: accept accept accept refused',
      'publish: accept accept accept refused',
      'archive: accept accept accept already',
      'unarchive: refused refused refused accept',
      'delete: refused refused refused accept',
    ]);
  });

  it('an update adds a version as a draft or for testing, and leaves the published one', () => {
    for (const { is: _, ...state } of usable) {
      for (const status of ['draft', 'testing'] as const) {
        expect(decidePublishing(state, { type: 'update', status }, NOW)).to.deep.equal({
          kind: 'accepted',
          next: { ...state, latestVersion: 4, latestStatus: status },
          mark: null,
        });
      }
    }
  });

  it('an update for a version that is not the latest is refused', () => {
    const { is: _, ...state } = STATES[0]!;
    const update = (expected: number) => decidePublishing(state, { type: 'update', status: 'draft', expected }, NOW);
    expect(update(3).kind).to.equal('accepted');
    for (const expected of [2, 4])
      expect(update(expected)).to.deep.include({ kind: 'refused', code: 'version_changed' });
  });

  it('publishing marks that version alone, and again is as if done', () => {
    for (const { is: _, ...state } of usable) {
      for (const version of [1, 2, 3]) {
        const verdict = decidePublishing(state, { type: 'publish', version }, NOW);
        if (version === state.publishedVersion) expect(verdict).to.deep.equal({ kind: 'already' });
        else {
          expect(verdict).to.deep.equal({
            kind: 'accepted',
            next: {
              ...state,
              publishedVersion: version,
              latestStatus: version === 3 ? 'published' : state.latestStatus,
            },
            mark: { version, status: 'published' },
          });
        }
      }
      for (const version of [0, 4, -1]) {
        expect(decidePublishing(state, { type: 'publish', version }, NOW)).to.deep.include({
          code: 'version_not_found',
        });
      }
    }
  });

  it('archiving keeps everything but the time, and unarchiving makes a draft of all of it', () => {
    for (const { is: _, ...state } of usable) {
      const archived = expectNext(state, { type: 'archive' })!;
      expect(archived).to.deep.equal({ ...state, archivedAt: NOW });
      expect(decidePublishing(archived, { type: 'unarchive' }, NOW)).to.deep.equal({
        kind: 'accepted',
        next: { latestVersion: 3, latestStatus: 'draft', publishedVersion: null, archivedAt: null },
        mark: { version: 'all', status: 'draft' },
      });
      expect(workflowStatus(expectNext(archived, { type: 'unarchive' })!)).to.equal('draft');
    }
  });

  it('a deleted one is nothing', () => {
    expect(expectNext(STATES.at(-1)!, { type: 'delete' })).to.equal(null);
  });
});
