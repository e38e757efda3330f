/** The kernel module as the configuration asks for it. */
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import type { AgentConfig } from '../../config/schema.ts';
import { type Opened, refusal } from '../../shared/result.ts';
import { buildModule } from '../../source/module/build.ts';
import { loadModule, unloadForeignModule } from '../../source/module/load.ts';
import type { ModuleStatus } from '../../source/module/status.ts';

/** The directory of the module's sources, which is beside the bundle. */
export function moduleSources(): string {
  return join(dirname(process.argv[1] ?? '.'), 'kmodule');
}

/**
 * Loads the module, in place of one of another version that nobody uses; builds it first where this kernel has none and
 * the configuration wants that.
 */
export function provideModule({ source }: AgentConfig): Opened<ModuleStatus> {
  const { path, build } = source.module;
  unloadForeignModule();
  const loaded = loadModule(path);
  if (loaded.ok || !build || loaded.permission === true) return loaded;
  const built = buildModule({ sources: moduleSources(), kernel: release(), headers: null, output: null });
  return built.ok ? loadModule('') : refusal(`${loaded.problem}; ${built.problem}`);
}
