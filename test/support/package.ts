// The package as npm would publish it, from the sources at hand and unpacked into a project of its own, beside the
// dependencies that it names: what a user has after `npm install holdpoint`, without a registry.

import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getBuild } from './build.ts';
import { runProgram } from './programs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

export interface Packed {
  /** Paths in the tarball, without its folder. */
  paths: string[];
  unpackedSize: number;
  /** A project that has it installed. */
  project: string;
}

/** Packs what was built, but for the tests' tools, and installs it below `folder`. */
export async function installPackage(folder: string): Promise<Packed> {
  const stage = join(folder, 'stage');
  const isPublished = (path: string) => !/^(node_modules|dist[/\\]test)/.test(relative(getBuild(), path));
  await cp(getBuild(), stage, { recursive: true, filter: isPublished });
  const packed = await runProgram(['npm', 'pack', '--ignore-scripts', '--json'], { cwd: stage });
  const [{ filename, files, unpackedSize }] = JSON.parse(packed.stdout);
  const project = await createProject(join(folder, 'project'));
  const home = join(project, 'node_modules', 'holdpoint');
  await mkdir(home);
  const unpacked = await runProgram(['tar', '-xzf', join(stage, filename), '-C', home, '--strip-components=1']);
  if (unpacked.code !== 0) throw new Error(unpacked.stderr);
  return { paths: files.map(({ path }: { path: string }) => path), unpackedSize, project };
}

/** With links to the dependencies of the package, and to what a TypeScript program needs to be checked. */
async function createProject(project: string): Promise<string> {
  const { dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), '@types/node', 'undici-types']) {
    const link = join(project, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), link);
  }
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'scratch', type: 'module', private: true }));
  const compilerOptions = {
    target: 'ES2023',
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    types: ['node'],
    outDir: 'out',
  };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  return project;
}

/** Checks and compiles the project's programs, to `out/`. */
export async function compileProject(project: string): Promise<void> {
  const { code, stdout } = await runProgram([process.execPath, TSC, '-p', project], { cwd: project });
  if (code !== 0) throw new Error(stdout);
}
