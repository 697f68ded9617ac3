import { expect } from 'chai';
import { AppError } from '../../src/core/errors.ts';
import { checkMemberCommand, type MemberCommand, refuseMoreThanOwn } from '../../src/core/membership.ts';
import { isAtLeast, isRole, lowerRole, ROLES, type Role } from '../../src/core/roles.ts';

const rank = (role: Role | null) => (role === null ? -1 : ROLES.indexOf(role));

describe('roles', () => {
  it('are ordered viewer < editor < admin < owner; what is none of them is below all', () => {
    for (const one of ROLES) {
      for (const other of ROLES) {
        expect(isAtLeast(one, other), `${one} ≥ ${other}`).to.equal(rank(one) >= rank(other));
        expect(rank(lowerRole(one, other))).to.equal(Math.min(rank(one), rank(other)));
      }
      for (const odd of [undefined, '', 'root', one.toUpperCase(), '__proto__']) {
        expect(isAtLeast(odd, one), `${odd} ≥ ${one}`).to.equal(false);
        expect(isRole(odd)).to.equal(false);
      }
    }
  });
});

describe('commands on members', () => {
  const judge = (own: Role, command: MemberCommand, situation: { role: Role | null; otherOwners: number }) => {
    try {
      checkMemberCommand({ workspaceId: 'w', userId: 'me', role: own }, command, situation);
      return 'done';
    } catch (error) {
      return error instanceof AppError ? error.code : error;
    }
  };

  it('need a role as high as the one that is given and the one that is taken', () => {
    for (const own of ROLES) {
      for (const wanted of ROLES) {
        const added = judge(own, { type: 'add', userId: 'u', role: wanted }, { role: null, otherOwners: 1 });
        expect(added, `${own} adds ${wanted}`).to.equal(rank(own) >= rank(wanted) ? 'done' : 'forbidden');
        for (const role of ROLES) {
          const highest = Math.max(rank(wanted), rank(role));
          const changed = judge(own, { type: 'change', userId: 'u', role: wanted }, { role, otherOwners: 1 });
          expect(changed, `${own} makes ${role} ${wanted}`).to.equal(rank(own) >= highest ? 'done' : 'forbidden');
          const removed = judge(own, { type: 'remove', userId: 'u' }, { role, otherOwners: 1 });
          expect(removed, `${own} removes ${role}`).to.equal(rank(own) >= rank(role) ? 'done' : 'forbidden');
        }
      }
    }
  });

  it('need somebody there to change or remove, and nobody there to add', () => {
    for (const role of ROLES) {
      expect(judge('owner', { type: 'add', userId: 'u', role: 'viewer' }, { role, otherOwners: 1 })).to.equal(
        'conflict',
      );
    }
    const nobody = { role: null, otherOwners: 1 };
    expect(judge('owner', { type: 'change', userId: 'u', role: 'viewer' }, nobody)).to.equal('not_found');
    expect(judge('owner', { type: 'remove', userId: 'u' }, nobody)).to.equal('not_found');
  });

  it('leave the last owner an owner', () => {
    for (const [otherOwners, expected] of [
      [0, 'conflict'],
      [1, 'done'],
    ] as const) {
      const situation = { role: 'owner', otherOwners } as const;
      expect(judge('owner', { type: 'remove', userId: 'u' }, situation)).to.equal(expected);
      expect(judge('owner', { type: 'change', userId: 'u', role: 'admin' }, situation)).to.equal(expected);
      expect(judge('owner', { type: 'change', userId: 'u', role: 'owner' }, situation)).to.equal('done');
    }
  });

  it('give keys no more than their maker has', () => {
    for (const own of ROLES) {
      for (const wanted of ROLES) {
        const give = () => refuseMoreThanOwn({ workspaceId: 'w', userId: 'me', role: own }, wanted);
        if (rank(own) >= rank(wanted)) expect(give).not.to.throw();
        else expect(give).to.throw(AppError, 'higher than your own');
      }
    }
  });
});
