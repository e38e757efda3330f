/** Builds the packages of the agent: see docs/packaging.md. */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { buildDeb } from './deb.ts';
import { type Format, type PackageOptions, readOptions, USAGE } from './options.ts';
import { PackagingFault, run } from './process.ts';
import { buildRpm } from './rpm.ts';
import { sha256Of } from './runtime.ts';
import { buildTarball } from './tarball.ts';
import { makeParts, type Parts } from './tree.ts';

const BUILDERS: Readonly<Record<Format, (parts: Parts, options: PackageOptions) => string>> = {
  tarball: buildTarball,
  rpm: buildRpm,
  deb: buildDeb,
};

const LISTS: Readonly<Record<Format, readonly [program: string, ...args: string[]]>> = {
  tarball: ['tar', '--list', '--verbose', '--file'],
  rpm: ['rpm', '--query', '--package', '--list', '--verbose'],
  deb: ['dpkg-deb', '--contents'],
};

function printFiles(format: Format, file: string): void {
  const [program, ...args] = LISTS[format];
  console.log(`\n${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB\n${run(program, [...args, file])}`);
}

async function buildPackages(options: PackageOptions): Promise<void> {
  mkdirSync(options.output, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'ktc-package-'));
  try {
    const parts = await makeParts(options, work);
    const sums = options.formats.map((format) => {
      const file = BUILDERS[format](parts, options);
      printFiles(format, file);
      return `${sha256Of(file)}  ${basename(file)}\n`;
    });
    writeFileSync(join(options.output, 'SHA256SUMS'), sums.sort().join(''));
    process.stdout.write(sums.join(''));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === null) process.stdout.write(USAGE);
  else await buildPackages(options);
} catch (error) {
  if (!(error instanceof PackagingFault)) throw error;
  console.error(`package: ${error.message}`);
  process.exitCode = 1;
}
