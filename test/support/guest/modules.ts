/** Which files the guest needs to load the modules a test asks for. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** What goes into the guest for its modprobe. */
export interface Modules {
  /** Names to load; those the kernel has built in are left out. */
  load: string[];
  /** Files that takes, relative to the modules' directory. */
  files: string[];
}

/**
 * Looks the modules and all they depend on up in modules.dep.
 * @param directory lib/modules/<release> of the guest's kernel
 * @param names of modules, with underscores
 * @throws when the kernel has no such module
 */
export function resolveModules(directory: string, names: string[]): Modules {
  const builtIn = new Set(lines(join(directory, 'modules.builtin')).map(moduleName));
  const filesOf = new Map<string, string[]>();
  for (const line of lines(join(directory, 'modules.dep'))) {
    const [file = '', dependencies = ''] = line.split(':');
    filesOf.set(moduleName(file), [
      file,
      ...dependencies.split(' ').filter((dependency) => dependency !== ''),
    ]);
  }
  const load = names.filter((name) => !builtIn.has(name));
  const files = load.flatMap((name) => {
    const needed = filesOf.get(name);
    if (needed === undefined) throw new Error(`the guest's kernel has no module ${name} (${directory})`);
    return needed;
  });
  return { load, files: [...new Set(['modules.dep', ...files])] };
}

function lines(path: string): string[] {
  return readFileSync(path, 'utf8').trim().split('\n');
}

function moduleName(path: string): string {
  return basename(path, '.ko').replaceAll('-', '_');
}
