// What would change a statement if it were ever put into one (S-42), in every text that any route takes: made from the
// route table, so that a new parameter is attacked without anybody's doing. The long list of such texts, on the routes
// that search, is test/http/workflow/definition-attacks.test.ts.

import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import { isJsonObject, type JsonObject } from '../../src/core/json.ts';
import type { Route } from '../../src/http/route.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { bodyFor, DISTINCT, nameOf } from '../support/routes.ts';

const INJECTIONS = ["'; UPDATE api_keys SET role = 'owner'; --", "' || (SELECT pg_sleep(100)) || '", '$1 \u0000'];

interface Attack {
  place: string;
  path: string;
  body: JsonObject | undefined;
}

describe('SQL in any text of a request (S-42)', () => {
  let holdpoint: Holdpoint;
  before(async () => {
    const settings = { rateLimit: 0, rateLimitStarts: 0, rateLimitFailures: 0, secretKeys: [Buffer.alloc(32, 1)] };
    holdpoint = await startHoldpoint({ settings });
  });
  after(() => holdpoint.stop());

  it('is never run: no route fails, no role is raised, no table is gone', async () => {
    const { db, workspace } = holdpoint;
    const sql = "SELECT count(*)::int AS owners FROM api_keys WHERE role = 'owner' AND workspace_id = $1";
    const countOwners = async () => (await db.pool.query(sql, [workspace.id])).rows[0].owners;
    const owners = await countOwners();
    for (const route of DISTINCT) {
      for (const injection of INJECTIONS) {
        const attacks = listAttacks(route, injection, workspace.id);
        const answers = await Promise.all(
          attacks.map(({ path, body }) =>
            holdpoint.ask(path, {
              method: route.method,
              key: workspace.keys.owner,
              ...(body === undefined || route.method === 'GET' ? {} : { body }),
            }),
          ),
        );
        for (const [index, { status, body }] of answers.entries()) {
          const shown = `${nameOf(route)}, ${attacks[index]!.place} = ${injection}: ${JSON.stringify(body)}`;
          expect(status, shown).to.be.within(200, 499);
        }
      }
    }
    expect(await countOwners()).to.equal(owners);
    expect((await holdpoint.ask(`/workspaces/${workspace.id}`)).body.id).to.equal(workspace.id);
  });
});

/** The route's usual request with `text` in one place, for each place that takes a text. */
function listAttacks(route: Route, text: string, workspace: string): Attack[] {
  const usual = bodyFor(route, uuidv7()) as JsonObject | undefined;
  const fill = (attacked: string) =>
    route.path.replace(/:(\w+)/g, (_, name: string) =>
      encodeURIComponent(name === attacked ? text : name === 'wId' || name === 'podId' ? workspace : uuidv7()),
    );
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  const inPath = names.map((name) => ({ place: `:${name}`, path: fill(name), body: usual }));
  const inQuery = Object.keys(propertiesOf(route.query)).map((name) => ({
    place: `?${name}`,
    path: `${fill('')}?${new URLSearchParams([[name, text]])}`,
    body: usual,
  }));
  const inBody = Object.keys(propertiesOf(route.body)).map((name) => ({
    place: `/${name}`,
    path: fill(''),
    body: { ...usual, [name]: text },
  }));
  return [...inPath, ...inQuery, ...inBody];
}

function propertiesOf(schema: JsonObject | undefined): JsonObject {
  const own = isJsonObject(schema?.['properties']) ? schema['properties'] : {};
  const branches = Array.isArray(schema?.['oneOf']) ? schema['oneOf'] : [];
  return Object.assign({}, own, ...branches.map((branch) => (isJsonObject(branch) ? propertiesOf(branch) : {})));
}
