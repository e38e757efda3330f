/** tcp_trace.ko for a guest, built from kmodule/ as `ktc module build` does it. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildModule } from '../../../src/source/module/build.ts';
import type { GuestKernel } from '../guest.ts';

const repository = join(import.meta.dirname, '../../..');

/**
 * Path of the module, built anew; as if from sources with another API version when `api` says so. The guest's kernel
 * must have been fetched (`guestUnavailable`).
 */
export function buildGuestModule(kernel: GuestKernel, api?: number): string {
  const modules = join(repository, '.cache/guest', kernel, 'lib/modules');
  const [release = ''] = readdirSync(modules);
  const directory = join(repository, '.cache/module', api === undefined ? kernel : `${kernel}-api-${api}`);
  const sources = join(directory, 'sources');
  cpSync(join(repository, 'kmodule'), sources, { recursive: true });
  if (api !== undefined) {
    const main = join(sources, 'tcp_trace.c');
    writeFileSync(
      main,
      readFileSync(main, 'utf8').replace(/^#define KTC_API .*$/m, `#define KTC_API ${api}`),
    );
  }
  const built = buildModule({
    sources,
    kernel: release,
    headers: join(modules, release, 'build'),
    output: join(directory, 'tcp_trace.ko'),
  });
  if (!built.ok) throw new Error(built.problem);
  return built.value;
}
