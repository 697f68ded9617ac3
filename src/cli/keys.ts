// `holdpoint keys`: the workspace's API keys, listed, made and revoked.

import type { Command } from 'commander';
import type { ApiKey } from '../sdk/api-types.ts';
import { defineAction } from './command.ts';
import { formatTable } from './output.ts';

export function addKeysCommand(program: Command): void {
  const keys = program.command('keys').description('the API keys of the workspace');

  defineAction(keys.command('list', { isDefault: true }).description('newest first'), async ({ client, output }) => {
    const { items } = await client.apiKeys.list({ limit: 200 });
    output.result(items, formatTable(items.map(formatRow)));
    return undefined;
  });

  const create = keys
    .command('create <name>')
    .description('make a key; it is shown this once')
    .option('--role <role>', 'viewer, editor, admin or owner', 'editor')
    .option('--user <id>', 'the user whom it stands for; default whoever makes it')
    .option('--expires <time>', 'until when it is good, as 2030-01-31T00:00:00Z');
  type Flags = { role: ApiKey['role']; user?: string; expires?: string };
  defineAction<Flags>(create, async ({ client, output }, { role, user, expires }, [name]) => {
    const key = await client.apiKeys.create({ name: name!, role, userId: user, expiresAt: expires });
    output.result(key, [key.key ?? '(shown before, and never again)']);
    return undefined;
  });

  const revoke = keys.command('revoke <id>').description('revoke a key for good');
  defineAction(revoke, async ({ client, output }, _, [id]) => {
    await client.apiKeys.revoke(id!);
    output.result({ id, revoked: true }, [`${id}  revoked`]);
    return undefined;
  });
}

function formatRow({ id, name, prefix, role, userId, expiresAt, revokedAt }: ApiKey): string[] {
  const state = revokedAt === null ? (expiresAt === null ? '' : `until ${expiresAt}`) : 'revoked';
  return [id, `${prefix}…`, role, userId, name, state];
}
