import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { RULES, type Rule } from './support/architecture-rules.ts';
import { findCycles, readModules } from './support/module-graph.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What would break each rule: one file that does, and what the rule says of it. */
const BREACHES: readonly { rule: RegExp; source: Record<string, string>; says: RegExp }[] = [
  {
    rule: /^core ←/,
    source: { 'src/core/run.ts': `import { findRun } from '../store/runs.ts';` },
    says: /core must not know store/,
  },
  {
    rule: /^core ←/,
    source: { 'src/core/run.ts': `import { createLog } from '../log.ts';` },
    says: /core must not know ground/,
  },
  {
    rule: /^core ←/,
    source: { 'src/store/runs.ts': `import { StepsQueue } from '../queue/steps-queue.ts';` },
    says: /store must not know queue/,
  },
  {
    rule: /^core ←/,
    source: { 'src/steps/wait.ts': `import type { Database } from '../store/db.ts';` },
    says: /steps must not know store/,
  },
  {
    rule: /^core ←/,
    source: { 'src/queue/a.ts': `const x = await import('../steps/registry.ts');` },
    says: /queue must not know steps/,
  },
  {
    rule: /^core ←/,
    source: { 'src/queue/a.ts': `type X = typeof import('../engine/engine.ts');` },
    says: /queue must not know engine/,
  },
  {
    rule: /^core ←/,
    source: { 'src/engine/a.ts': `import {\n  presentRun,\n  type Face,\n} from '../http/workflow/present.ts';` },
    says: /engine must not know http/,
  },
  { rule: /^core ←/, source: { 'src/engine/a.ts': `import '../web.ts';` }, says: /engine must not know process/ },
  {
    rule: /^core ←/,
    source: { 'src/http/a.ts': `import { openQueues } from '../queue/connection.ts';` },
    says: /http must not know queue/,
  },
  {
    rule: /^core ←/,
    source: { 'src/log.ts': `import { isUuid } from './store/definitions.ts';` },
    says: /ground must not know store/,
  },
  {
    rule: /^core ←/,
    source: { 'src/cli/main.ts': `import { startRun } from '../engine/start-run.ts';` },
    says: /cli must not know engine/,
  },
  {
    rule: /^core ←/,
    source: { 'dashboards/console/app.tsx': `import { findRun } from '../../src/store/runs.ts';` },
    says: /console must not know store/,
  },
  { rule: /^core is pure/, source: { 'src/core/run.ts': 'const now = new Date();' }, says: /new Date\(\)/ },
  { rule: /^core is pure/, source: { 'src/core/run.ts': 'const chance = Math.random();' }, says: /Math\.random/ },
  {
    rule: /^core is pure/,
    source: { 'src/core/run.ts': `import { readFileSync } from 'node:fs';` },
    says: /node:fs/,
  },
  {
    rule: /^knex and pg/,
    source: { 'src/engine/a.ts': `import type pg from 'pg';` },
    says: /pg is for src\/store only/,
  },
  {
    rule: /^knex and pg/,
    source: { 'src/web.ts': `import knex, { type Knex } from 'knex';` },
    says: /knex is for src\/store only/,
  },
  {
    rule: /^knex and pg/,
    source: { 'src/store/a.ts': `import { Redis } from 'ioredis';` },
    says: /ioredis is for src\/queue/,
  },
  {
    rule: /^knex and pg/,
    source: { 'src/worker.ts': `import { Worker } from 'bullmq';` },
    says: /bullmq is for src\/queue/,
  },
  {
    rule: /^knex and pg/,
    source: { 'src/engine/a.ts': `import Router from '@koa/router';` },
    says: /@koa\/router is for src\/http/,
  },
  {
    rule: /^knex and pg/,
    source: {
      'src/http/a.ts': `import { koaBody } from 'koa-body';\nimport { createBullBoard } from '@bull-board/api';`,
    },
    says: /@bull-board\/api is for dashboards/,
  },
  {
    rule: /^knex and pg/,
    source: { 'src/steps/a.ts': `import { request } from 'undici';` },
    says: /undici is for src\/egress only/,
  },
  {
    rule: /^core ←/,
    source: { 'src/egress/a.ts': `import { callHttp } from '../steps/http-call.ts';` },
    says: /egress must not know steps/,
  },
  {
    rule: /^what is called outside/,
    source: { 'src/engine/a.ts': `const answer = await fetch('https://example.com');` },
    says: /use an Egress/,
  },
  {
    rule: /^knex and pg/,
    source: { 'src/engine/a.ts': `import { S3Client } from '@aws-sdk/client-s3';` },
    says: /@aws-sdk\/client-s3 is for src\/files only/,
  },
  {
    rule: /^core ←/,
    source: { 'src/files/a.ts': `import { findFile } from '../store/files.ts';` },
    says: /files must not know store/,
  },
  {
    rule: /^the environment/,
    source: { 'src/worker.ts': 'const level = process.env.LOG_LEVEL;' },
    says: /src\/worker\.ts/,
  },
  { rule: /^the environment/, source: { 'src/worker.ts': 'const { env } = process;' }, says: /src\/worker\.ts/ },
  { rule: /^the environment/, source: { 'src/cli/main.ts': 'process.env.HOME' }, says: /src\/cli\/main\.ts/ },
  {
    rule: /^the environment/,
    source: { 'src/worker.ts': `import { env } from 'node:process';` },
    says: /src\/worker\.ts/,
  },
  {
    rule: /^http reads from/,
    source: {
      'src/http/v1/routes.ts': `import { findRun, insertDefinition as add } from '../../store/definitions.ts';`,
    },
    says: /: insertDefinition of/,
  },
  {
    rule: /^http reads from/,
    source: { 'src/http/v1/routes.ts': `import * as store from '../../store/definitions.ts';` },
    says: /: \* of/,
  },
  {
    rule: /^http reads from/,
    source: { 'src/http/v1/routes.ts': `import { touchApiKey } from '../../store/access.ts';` },
    says: /: touchApiKey of/,
  },
  {
    rule: /^http reads only/,
    source: { 'src/http/v1/routes.ts': 'const run = await findRunView(engine.db, { workspaceId, runId });' },
    says: /reads past the wall/,
  },
  {
    rule: /^http reads only/,
    source: { 'src/http/v1/routes.ts': 'const { db } = engine;' },
    says: /reads past the wall/,
  },
  {
    rule: /^SQL is/,
    source: { 'src/http/a.ts': "const { rows } = await engine.db.pool.query<Row>('SELECT 1');" },
    says: /src\/http\/a\.ts: speaks SQL/,
  },
  {
    rule: /^no face/,
    source: { 'src/http/v1/present.ts': `import type { StatusWord } from '../workflow/present.ts';` },
    says: /knows the face workflow/,
  },
  {
    rule: /^no face/,
    source: { 'src/http/errors.ts': `import { presentError } from './workflow/present.ts';` },
    says: /knows the face workflow/,
  },
  {
    rule: /^a face is/,
    source: { 'src/http/v1/paging.ts': '' },
    says: /one of the three/,
  },
  {
    rule: /^nothing is exported/,
    source: { 'src/log.ts': 'export default function createLog() {}' },
    says: /src\/log\.ts/,
  },
  {
    rule: /^nothing is exported/,
    source: { 'src/log.ts': 'const log = 1;\nexport { log as default };' },
    says: /src\/log\.ts/,
  },
  {
    rule: /^no file passes on/,
    source: { 'src/core/all.ts': `export * from './run.ts';` },
    says: /passes on \.\/run\.ts/,
  },
  {
    rule: /^no file passes on/,
    source: { 'src/core/all.ts': `export { type Run, startRun } from './run.ts';` },
    says: /passes on/,
  },
  { rule: /^no file passes on/, source: { 'src/core/index.ts': 'export const one = 1;' }, says: /index\.ts/ },
  {
    rule: /^no files need/,
    source: {
      'src/core/a.ts': `import { b } from './b.ts';`,
      'src/core/b.ts': `import { c } from './c.ts';`,
      'src/core/c.ts': `import { b } from './b.ts';`,
    },
    says: /^src\/core\/b\.ts → src\/core\/c\.ts → src\/core\/b\.ts$/,
  },
  { rule: /^no text/, source: { 'src/core/a.ts': `const two = eval('1 + 1');` }, says: /eval/ },
  { rule: /^no text/, source: { 'src/core/a.ts': `const two = (0, eval)('1 + 1');` }, says: /eval/ },
  { rule: /^no text/, source: { 'src/core/a.ts': `const two = new Function('return 2');` }, says: /Function/ },
  { rule: /^no text/, source: { 'src/core/a.ts': `import { runInNewContext } from 'node:vm';` }, says: /node:vm/ },
  { rule: /^no text/, source: { 'src/core/a.ts': `const { VM } = require('vm2');` }, says: /vm2/ },
  { rule: /^every file opens/, source: { 'src/core/a.ts': 'export const one = 1;' }, says: /open with what/ },
  {
    rule: /^every file opens/,
    source: { 'src/core/a.ts': `// Everything.\n${'const x = 1;\n'.repeat(400)}` },
    says: /401 lines/,
  },
  { rule: /^files are named/, source: { 'src/core/startRun.ts': '' }, says: /kebab-case/ },
  { rule: /^files are named/, source: { 'src/core/run-utils.ts': '' }, says: /say what is in it/ },
  { rule: /^every import/, source: { 'src/core/a.ts': `import { b } from './b.js';` }, says: /\.\/b\.js is no file/ },
];

describe('the architecture', () => {
  const modules = readModules(readSources(['src', 'dashboards']));
  const surroundings = readModules(readSources(['migrations', 'knexfile.ts', 'bench', 'scripts']));

  it('is read from files that are there', () => {
    const paths = modules.map(({ path }) => path);
    expect(paths).to.include.members([
      'src/core/transition.ts',
      'src/engine/change-run.ts',
      'src/store/commit.ts',
      'dashboards/bull-board.ts',
    ]);
    expect(modules.flatMap(({ imports }) => imports)).to.have.length.above(300);
  });

  for (const rule of RULES) {
    it(rule.title, () => {
      expect(rule.findBreaches(modules)).to.deep.equal([]);
    });
  }

  it('keeps knex and pg to themselves, and runs no text as code, around src too', () => {
    const product = surroundings.filter(({ path }) => !path.startsWith('bench/'));
    expect(ruleOf(/^knex and pg/).findBreaches(product)).to.deep.equal([]);
    expect(ruleOf(/^no text/).findBreaches(surroundings)).to.deep.equal([]);
  });

  describe('each rule can fail', () => {
    for (const { rule, source, says } of BREACHES) {
      it(`${ruleOf(rule).title.slice(0, 30)}…: ${Object.values(source)[0]!.slice(0, 80).replaceAll('\n', ' ')}`, () => {
        const breaches = ruleOf(rule).findBreaches(readModules(new Map(Object.entries(source))));
        expect(breaches).to.have.length(1);
        expect(breaches[0]).to.match(says);
      });
    }

    it('has a breach for every rule', () => {
      const unproven = RULES.filter(({ title }) => !BREACHES.some(({ rule }) => rule.test(title)));
      expect(unproven.map(({ title }) => title)).to.deep.equal([]);
    });
  });

  describe('reading imports', () => {
    const read = (text: string) =>
      readModules(new Map([['src/core/a.ts', text]]))[0]!.imports.map(({ specifier, values, isTypeOnly }) => ({
        specifier,
        values,
        isTypeOnly,
      }));

    it('tells values from types, and sees every form', () => {
      expect(
        read(
          `import type { A } from './t.ts';\nimport b, { type C, d as e, f } from './b.ts';\nimport * as g from "g";\nimport 'side';`,
        ),
      ).to.deep.equal([
        { specifier: './t.ts', values: [], isTypeOnly: true },
        { specifier: './b.ts', values: ['default', 'd', 'f'], isTypeOnly: false },
        { specifier: 'g', values: ['*'], isTypeOnly: false },
        { specifier: 'side', values: [], isTypeOnly: false },
      ]);
    });

    it('passes over comments, exports of its own and words in texts', () => {
      expect(
        read(
          `// import { a } from './a.ts';\n/** @see\nimport './b.ts' */\nexport const text = "made from 'wood'";\nexport function f() {}\nconst g = 'x';`,
        ),
      ).to.deep.equal([]);
    });

    it('takes no circle of types for one', () => {
      const types = new Map([
        ['src/core/a.ts', `import type { B } from './b.ts';`],
        ['src/core/b.ts', `import { a } from './a.ts';`],
      ]);
      expect(findCycles(readModules(types))).to.deep.equal([]);
    });
  });
});

function ruleOf(title: RegExp): Rule {
  const rule = RULES.find((candidate) => title.test(candidate.title));
  if (rule === undefined) throw new Error(`there is no rule ${title}`);
  return rule;
}

/** Every program text below these files and folders, by its path from the root. */
function readSources(places: readonly string[]): Map<string, string> {
  const paths = places.flatMap((place) => (place.includes('.') ? [join(ROOT, place)] : listFiles(join(ROOT, place))));
  return new Map(paths.map((path) => [relative(ROOT, path), readFileSync(path, 'utf8')]));
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('node_modules'));
}
