// The sources at hand and the tools of the tests, compiled once for a whole run: a process that compiles first takes three
// times as long to start. Knows nothing of what is done with them.

import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from './programs.ts';

const VARIABLE = 'HOLDPOINT_TEST_BUILD';
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
/** What is published beside the program. */
const DOCUMENTS = ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE'];

/** Makes a package of the sources in `folder`, able to run; from now on `getBuild` answers it, in child processes too. */
export async function build(folder: string): Promise<void> {
  mkdirSync(folder);
  for (const file of DOCUMENTS) cpSync(join(ROOT, file), join(folder, file));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const settings = join(folder, 'tsconfig.json');
  writeFileSync(settings, JSON.stringify(compilerSettings(folder)));
  const { code, stdout } = await runProgram([process.execPath, TSC, '-p', settings]);
  if (code !== 0) throw new Error(`The sources cannot be built: ${stdout}`);
  process.env[VARIABLE] = folder;
}

/** The folder of the package: `dist` as `npm run build` makes it, and the tests' tools in `dist/test/support`. */
export function getBuild(): string {
  const folder = process.env[VARIABLE];
  if (folder) return folder;
  throw new Error('Nothing was built: test/support/global.ts builds for files that import what starts programs');
}

/** Where the build has this source; the path itself when it is none. */
export function builtPath(path: string): string {
  return path.startsWith(ROOT) ? join(getBuild(), 'dist', relative(ROOT, path)).replace(/\.ts$/, '.js') : path;
}

function compilerSettings(folder: string): object {
  return {
    extends: join(ROOT, 'tsconfig.build.json'),
    // What is wrong with types is for `npm run check`.
    compilerOptions: { rootDir: ROOT, outDir: join(folder, 'dist'), noCheck: true, types: [] },
    include: ['src', 'dashboards', 'migrations', 'knexfile.ts', 'test/support/*tools.ts'].map((path) =>
      join(ROOT, path),
    ),
  };
}
