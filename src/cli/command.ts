/** How every command of `ktc` begins: it reads its options, answers --help, and refuses wrong options. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type Result, refusal, success } from '../shared/result.ts';
import { EXIT, type ExitCode, fail, print } from './exit.ts';

/** Takes the words behind the command's name, and gives the exit code; everything else is printed. */
export type Command = (words: readonly string[]) => Promise<number>;

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<T extends Options> = ReturnType<typeof parseArgs<{ args: string[]; options: T }>>['values'];

export interface CommandSpec<T extends Options> {
  readonly name: string;
  readonly help: string;
  /** As for `parseArgs` of node:util; `help` comes with every command. */
  readonly options: T;
  /** Whether it takes words that are not options. */
  readonly takesWords?: true;
  /** Reports a usage error; absent, as `<name>: <problem>; ktc <name> --help lists the options`. */
  readonly refuse?: (problem: string) => ExitCode;
  run(values: Values<T>, words: readonly string[]): number | Promise<number>;
}

/** `ktc --help` and each command have it. */
const HELP = { help: { type: 'boolean', short: 'h' } } as const;

/** Reports wrong options of a command. */
export function usageError(name: string, problem: string): ExitCode {
  return fail(EXIT.usage, `${name}: ${problem}; ktc ${name} --help lists the options`);
}

export function createCommand<const T extends Options>(spec: CommandSpec<T>): Command {
  const { name, help, options, takesWords = false, run } = spec;
  const refuse = spec.refuse ?? ((problem) => usageError(name, problem));
  return async (words) => {
    const parsed = parseArguments({
      args: [...words],
      options: { ...options, ...HELP },
      allowPositionals: takesWords,
    });
    if (!parsed.ok) return refuse(parsed.problem);
    const { positionals } = parsed.value;
    // parseArgs has checked the values against these options, which TypeScript cannot follow for a type parameter.
    const values = parsed.value.values as Values<T> & { readonly help?: boolean };
    return values.help === true ? print(help) : run(values, positionals);
  };
}

/** `parseArgs` of node:util, with a mistake of the user as a refusal of one sentence. */
export function parseArguments<T extends ParseArgsConfig>(
  config: T,
): Result<ReturnType<typeof parseArgs<T>>> {
  try {
    return success(parseArgs(config));
  } catch (error) {
    if (
      !(error instanceof TypeError) ||
      !('code' in error) ||
      !String(error.code).startsWith('ERR_PARSE_ARGS_')
    ) {
      throw error;
    }
    // The other sentences are advice on `--`, which does not help here.
    return refusal(error.message.split('. ')[0] ?? error.message);
  }
}
