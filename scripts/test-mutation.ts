/**
 * Mutation test of the parts where a silent error costs most: plants one fault at a time in a copy of src/, runs the
 * unit tests that reach it, and lists the faults that no test notices. `make test-mutation` runs it for all parts,
 * `make test-mutation PARTS="clock decode"` for some.
 *
 * Results are kept in .cache/mutation, so that a second run tests only what has changed since; `PART.html` there shows
 * each fault in its place.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { matchesGlob, relative } from 'node:path';
import type { LogLevel, MutantResult } from '@stryker-mutator/api/core';
import { Stryker } from '@stryker-mutator/core';

interface Part {
  /** Source files, as globs. */
  readonly mutate: readonly string[];
  /** The unit tests that are to notice a fault in them, as globs. */
  readonly tests: readonly string[];
}

const PARTS: Readonly<Record<string, Part>> = {
  clock: { mutate: ['src/source/clock.ts'], tests: ['test/unit/source/clock*.test.ts'] },
  ledger: {
    mutate: ['src/ledger/{booking,ledger}.ts'],
    tests: ['test/unit/ledger/*.test.ts'],
  },
  delivery: {
    mutate: ['src/pipeline/{delivery,progress,settlement,wait,window}.ts', 'src/sink/batch.ts'],
    tests: ['test/unit/pipeline/{delivery/*,settlement,wait,window}.test.ts', 'test/unit/sink/batch.test.ts'],
  },
  'record-batch': {
    mutate: ['src/sink/kafka/record-batch.ts'],
    tests: ['test/unit/sink/kafka/record-batch.test.ts'],
  },
  decode: {
    mutate: ['src/source/decode/*.ts'],
    // Not the fuzz: it takes ten seconds per mutant, and tells only that a page is read within its bounds.
    tests: ['test/unit/source/decode/{format,page,reader,addresses,module-fields}.test.ts'],
  },
  'spool-disk': {
    mutate: ['src/pipeline/spool/disk/*.ts'],
    tests: ['test/unit/pipeline/spool/disk/*.test.ts'],
  },
  spool: {
    mutate: ['src/pipeline/spool/*.ts'],
    // Not the model: what only a random life of it notices is not noticed every time.
    tests: ['test/unit/pipeline/spool/!(model).test.ts'],
  },
  otlp: {
    mutate: ['src/sink/otlp/encode/*.ts'],
    // Not the recordings: they take seconds per mutant, as the agent itself is run for them.
    tests: ['test/unit/sink/otlp/encode/!(recorded).test.ts'],
  },
};

/** In percent; each part must reach it. */
const LOWEST_SCORE = 90;
const CACHE = '.cache/mutation';

type MutantResults = { files: Record<string, { mutants: MutantResult[] }> };

/**
 * Stryker does not notice that a new test reaches what is computed when a module is loaded: faults there that survived
 * an earlier run are forgotten, so that they are tested again.
 */
function forgetStaticSurvivors(path: string): void {
  if (!existsSync(path)) return;
  const results = JSON.parse(readFileSync(path, 'utf8')) as MutantResults;
  for (const file of Object.values(results.files))
    file.mutants = file.mutants.filter((mutant) => !(mutant.static && mutant.status === 'Survived'));
  writeFileSync(path, JSON.stringify(results));
}

async function testPart(name: string, { mutate, tests }: Part): Promise<MutantResult[]> {
  console.log(`${name}: ${mutate.join(', ')}`);
  // Not Stryker's own `testFiles`: with it, faults in what is computed when a module is loaded are never active.
  process.env['MUTATION_TESTS'] = tests.join(' ');
  const incrementalFile = `${CACHE}/${name}.json`;
  forgetStaticSurvivors(incrementalFile);
  return await new Stryker({
    mutate: [...mutate],
    testRunner: 'vitest',
    vitest: { configFile: 'scripts/test-mutation.vitest.ts' },
    plugins: ['@stryker-mutator/vitest-runner'],
    incremental: true,
    incrementalFile,
    reporters: ['html', 'progress-append-only'],
    htmlReporter: { fileName: `${CACHE}/${name}.html` },
    tempDirName: `${CACHE}/sandbox`,
    // What no unit test reads. Stryker would rewrite tsconfig.json by an API that TypeScript 7 does not have.
    ignorePatterns: ['.cache', 'bench', 'docs', 'man', 'tools', 'tsconfig.json'],
    // Two cores are what a small machine has; a hang is told from a slow machine by a generous limit.
    concurrency: 2,
    warnings: { slow: false, unknownOptions: true, preprocessorErrors: true, unserializableOptions: true },
    timeoutMS: 10_000,
    // Its `const enum` is gone once types are stripped.
    logLevel: 'warn' as LogLevel,
  }).runMutationTest();
}

interface Row {
  readonly mutants: number;
  readonly killed: number;
  readonly survived: number;
  readonly timeout: number;
  readonly 'no coverage': number;
  /** In percent: what a test noticed, a hang included. */
  readonly score: number;
}

function rowOf(mutants: readonly MutantResult[]): Row {
  const countOf = (status: MutantResult['status']) =>
    mutants.filter((mutant) => mutant.status === status).length;
  const killed = countOf('Killed') + countOf('RuntimeError');
  const timeout = countOf('Timeout');
  return {
    mutants: mutants.length,
    killed,
    survived: countOf('Survived'),
    timeout,
    'no coverage': countOf('NoCoverage'),
    score: Math.floor(((killed + timeout) / mutants.length) * 1000) / 10,
  };
}

function lineOf({ fileName, location, mutatorName, replacement, status }: MutantResult): string {
  const place = `${relative('.', fileName)}:${location.start.line}:${location.start.column}`;
  return `${place} ${status} ${mutatorName}: ${replacement.replaceAll(/\s+/g, ' ').slice(0, 120)}`;
}

async function main(names: readonly string[]): Promise<void> {
  const rows: Record<string, Row> = {};
  const missed: string[] = [];
  for (const name of names) {
    const part = PARTS[name];
    if (part === undefined) {
      console.error(`there is no part ${name}: name one of ${Object.keys(PARTS).join(', ')}`);
      process.exitCode = 2;
      return;
    }
    const tested = await testPart(name, part);
    // Stryker keeps the results of files that were in the part in an earlier run.
    const mutants = tested.filter(({ fileName }) =>
      part.mutate.some((glob) => matchesGlob(relative('.', fileName), glob)),
    );
    const byFile = Map.groupBy(mutants, ({ fileName }) => relative('.', fileName));
    for (const [file, found] of byFile) rows[file] = rowOf(found);
    const whole = rowOf(mutants);
    rows[`${name}, all of it`] = whole;
    if (whole.score < LOWEST_SCORE) process.exitCode = 1;
    missed.push(
      ...mutants.filter(({ status }) => status === 'Survived' || status === 'NoCoverage').map(lineOf),
    );
  }
  for (const line of missed) console.log(line);
  console.table(rows);
}

const chosen = process.argv.slice(2);
await main(chosen.length > 0 ? chosen : Object.keys(PARTS));
