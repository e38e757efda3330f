/** What a build of the packages is asked for. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { PackagingFault, run } from './process.ts';

export const FORMATS = ['tarball', 'rpm', 'deb'] as const;
export type Format = (typeof FORMATS)[number];

export interface PackageOptions {
  readonly formats: readonly Format[];
  /** The agent's version, as package.json has it. */
  readonly version: string;
  /** The directory of the packages. */
  readonly output: string;
  /** Seconds since 1970: the time of every file inside, so that the same input gives the same bytes. */
  readonly epoch: number;
  /** 0 to 9: how hard the packages are compressed; 0 is for tests, and as fast as each format allows. */
  readonly level: number;
  /** A file with the private RSA key that signs the RPM, as `gpg --export-secret-keys --armor` writes it; null for none. */
  readonly signingKey: string | null;
}

export const USAGE = `Usage: packaging/package.ts [options]

Builds the packages. \`make package\` installs what that needs, and runs this.

Options:
      --format FORMAT     tarball, rpm or deb; may be repeated (all three)
      --version VERSION   the version (of package.json)
      --output DIR        where the packages go (dist)
      --level 0..9        how hard they are compressed (6); 0 is for tests

Environment:
  SOURCE_DATE_EPOCH       the time of the files inside (of the last commit)
  KTC_PACKAGE_LEVEL       as --level, for make package
  KTC_PACKAGE_RUNTIME     node26, or node22 for the fallback (node26)
  KTC_RPM_SIGNING_KEY     file with the private RSA key for the RPM (unsigned)
`;

/** Reads the command line and the environment; null asks for help. */
export function readOptions(words: readonly string[]): PackageOptions | null {
  const { values } = parseArgs({
    args: [...words],
    options: {
      format: { type: 'string', multiple: true, default: [...FORMATS] },
      version: { type: 'string' },
      output: { type: 'string', default: 'dist' },
      level: { type: 'string', default: process.env['KTC_PACKAGE_LEVEL'] || '6' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const formats = FORMATS.filter((format) => values.format.includes(format));
  const unknown = values.format.find((name) => !FORMATS.some((format) => format === name));
  if (unknown !== undefined)
    throw new PackagingFault(`--format is one of ${FORMATS.join(', ')}, not ${unknown}`);
  if (!/^[0-9]$/.test(values.level)) throw new PackagingFault('--level is 0 to 9');
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  return {
    formats,
    version: values.version ?? version,
    output: values.output,
    epoch: epochOfSources(),
    level: Number(values.level),
    signingKey: process.env['KTC_RPM_SIGNING_KEY'] || null,
  };
}

/** As RPM and dpkg order versions: what stands behind a tilde comes before the version without it. */
export const packageVersion = ({ version }: PackageOptions): string => version.replaceAll('-', '~');

function epochOfSources(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined && /^\d+$/.test(given)) return Number(given);
  try {
    return Number(run('git', ['log', '-1', '--format=%ct']));
  } catch (error) {
    if (!(error instanceof PackagingFault)) throw error;
    throw new PackagingFault(
      'without git, set SOURCE_DATE_EPOCH to the time of this release in seconds since 1970',
    );
  }
}
