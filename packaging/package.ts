/** Builds the packages of the agent: see docs/packaging.md. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildDeb } from './deb.ts';
import { type Format, type PackageOptions, readOptions, USAGE } from './options.ts';
import { PackagingFault } from './process.ts';
import { buildRpm } from './rpm.ts';
import { sha256Of } from './runtime.ts';
import { buildTarball } from './tarball.ts';
import { makeParts, type Parts } from './tree.ts';

const BUILDERS: Readonly<Record<Format, (parts: Parts, options: PackageOptions) => string>> = {
  tarball: buildTarball,
  rpm: buildRpm,
  deb: buildDeb,
};

async function buildPackages(options: PackageOptions): Promise<void> {
  mkdirSync(options.output, { recursive: true });
  const parts = await makeParts(options);
  const files = options.formats.map((format) => BUILDERS[format](parts, options));
  const sums = files.map((file) => `${sha256Of(file)}  ${basename(file)}\n`).sort();
  writeFileSync(join(options.output, 'SHA256SUMS'), sums.join(''));
  for (const file of files) console.log(`${(statSync(file).size / 1e6).toFixed(1)} MB  ${file}`);
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
