// Makes `npm start` and `npm test` work on a fresh clone: checks Node, installs what the lock file says, builds what has
// changed, then becomes the program asked for. Plain Node and nothing else, since it runs before anything is installed.
// package.json says `exec node …` because npm's signals end the shell between us and leave its child running.

import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const OLDEST_NODE = [20, 19];
const STAMP = join(ROOT, 'dist', '.built');
const SOURCES = [
  'src',
  'dashboards',
  'migrations',
  'knexfile.ts',
  'tsconfig.json',
  'tsconfig.build.json',
  'package-lock.json',
];

const BUILT_PROGRAMS = {
  start: 'dist/src/standalone.js',
  web: 'dist/src/web.js',
  worker: 'dist/src/worker.js',
  release: 'dist/src/release.js',
};

function main([command = 'install', ...rest]) {
  checkNode();
  install();
  if (command === 'install') return;
  if (command === 'build') return build();
  if (command === 'check') return check();
  if (command === 'test') return test(rest);
  if (command === 'fuzz') return fuzz(rest);
  if (command === 'bench') return bench(rest);
  if (command in BUILT_PROGRAMS) {
    if (!isBuilt()) build();
    if (command === 'start') useLocalDefaults();
    return become(BUILT_PROGRAMS[command], rest);
  }
  fail(
    `Unknown command "${command}". Known: install, build, check, test, fuzz, bench, ${Object.keys(BUILT_PROGRAMS).join(', ')}`,
  );
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  fail(
    `Holdpoint needs Node ${OLDEST_NODE.join('.')} or newer, and this is ${process.versions.node}. Get one from https://nodejs.org`,
  );
}

/** Installs unless node_modules is at least as new as the lock file. Nothing here needs a package's install script. */
function install() {
  const installed = timeOf(join(ROOT, 'node_modules', '.package-lock.json'));
  if (installed >= timeOf(join(ROOT, 'package-lock.json')) && installed > 0) return;
  say('Installing dependencies (once; takes a minute)…');
  // Development dependencies also under NODE_ENV=production: the build is made here.
  run(
    npm([
      'ci',
      '--include=dev',
      '--include=optional',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]),
    'npm ci',
  );
}

/** The npm that runs us, or the one on the PATH: yarn and pnpm do not read this lock file. */
function npm(args) {
  const cli = process.env.npm_execpath ?? '';
  if (/npm-cli\.[cm]?js$/.test(cli)) return [process.execPath, cli, ...args];
  return ['npm', ...args];
}

function isBuilt() {
  const built = timeOf(STAMP);
  return built > 0 && SOURCES.every((source) => newestIn(join(ROOT, source)) <= built);
}

/** Builds beside `dist` and swaps: what was deleted from the sources goes, and a build that fails changes nothing. */
function build() {
  say('Building…');
  const began = new Date();
  const builtBefore = timeOf(STAMP);
  const draft = join(ROOT, `.build-${randomUUID()}`);
  const old = `${draft}-old`;
  try {
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    run([process.execPath, tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', draft], 'The build');
    // Web and worker that start together build together; whoever comes second has nothing to swap.
    if (timeOf(STAMP) !== builtBefore && isBuilt()) return;
    writeFileSync(join(draft, '.built'), '');
    // As old as the beginning: a source saved while the compiler ran counts as changed.
    utimesSync(join(draft, '.built'), began, began);
    if (existsSync(join(ROOT, 'dist'))) renameSync(join(ROOT, 'dist'), old);
    renameSync(draft, join(ROOT, 'dist'));
  } finally {
    for (const folder of [draft, old]) rmSync(folder, { recursive: true, force: true });
  }
}

function check() {
  const bin = (...path) => [process.execPath, join(ROOT, 'node_modules', ...path)];
  run([...bin('@biomejs', 'biome', 'bin', 'biome'), 'check', '--error-on-warnings', '.'], 'Biome');
  run([...bin('typescript', 'bin', 'tsc'), '--noEmit', '-p', join(ROOT, 'tsconfig.json')], 'The type check');
  run([...bin('knip', 'bin', 'knip.js')], 'knip');
  run([...bin('mocha', 'bin', 'mocha.js'), 'test/architecture.test.ts'], 'The architecture test');
}

function test(args) {
  // Mocha hands only SIGINT on to the process that runs the tests; asked to end otherwise, it would leave that behind.
  process.once('SIGTERM', () => process.emit('SIGINT'));
  // Its wrapper then ends as if all were well; a run that was interrupted did not pass.
  process.once('SIGINT', () => {
    process.exitCode = 130;
  });
  // Two files at a time, each with databases and queue names of its own: most tests wait for something most of the time.
  return become('node_modules/mocha/bin/mocha.js', ['--parallel', '--jobs', '2', ...args]);
}

/** The fuzz test at full size; each route ends after a minute, however far it came. */
function fuzz(args) {
  process.env.FUZZ_RUNS = process.env.FUZZ_RUNS || '50000';
  process.env.FUZZ_SECONDS = process.env.FUZZ_SECONDS || '60';
  return become('node_modules/mocha/bin/mocha.js', ['test/http/fuzz.test.ts', ...args]);
}

/** The bench measures what users run: the build. */
function bench(args) {
  if (!isBuilt()) build();
  run([process.execPath, '--import', 'tsx', join(ROOT, 'bench', 'main.ts'), ...args], 'The bench');
}

/** `npm start` is for this machine alone, and its terminal is for people: other wishes come by the same variables. */
function useLocalDefaults() {
  process.env.HOST = process.env.HOST || '127.0.0.1';
  process.env.LOG_LEVEL = process.env.LOG_LEVEL || 'warn';
}

/** Runs the program in this very process, so that there is nobody between it and the signals and exit codes. */
async function become(program, args) {
  process.chdir(ROOT);
  process.setSourceMapsEnabled(true);
  process.argv = [process.execPath, join(ROOT, program), ...args];
  await import(pathToFileURL(join(ROOT, program)).href);
}

function run([program, ...args], what) {
  const onWindows = process.platform === 'win32' && program === 'npm';
  const { status, signal, error } = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit', shell: onWindows });
  if (error) fail(`${what} could not start: ${error.message}`);
  if (signal) process.kill(process.pid, signal);
  if (status !== 0) fail(`${what} failed; what it printed above says why.`, status ?? 1);
}

function newestIn(path) {
  if (!existsSync(path)) return 0;
  if (!statSync(path).isDirectory()) return timeOf(path);
  return Math.max(timeOf(path), ...readdirSync(path).map((name) => newestIn(join(path, name))));
}

function timeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function say(line) {
  console.log(`holdpoint: ${line}`);
}

/** @returns {never} */
function fail(message, code = 1) {
  console.error(`holdpoint: ${message}`);
  process.exit(code);
}

await main(process.argv.slice(2));
