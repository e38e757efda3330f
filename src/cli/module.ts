/** `ktc module build|load|unload|status`. */
import { release } from 'node:os';
import { moduleSources, provideModule } from '../agent/assembly/module.ts';
import { formatTable } from '../shared/table.ts';
import { buildModule } from '../source/module/build.ts';
import { loadModule, unloadModule } from '../source/module/load.ts';
import { MODULE_NAME, type ModuleStatus, readModule } from '../source/module/status.ts';
import { createCommand } from './command.ts';
import { EXIT, type ExitCode, fail, print } from './exit.ts';
import {
  type ConfigOptionValues,
  configOptions,
  configOptionsHelp,
  configurationError,
  readConfig,
} from './options.ts';

const HELP = `Usage: ktc module build [--kernel RELEASE] [--headers DIR] [--output FILE]
       ktc module load [FILE]
       ktc module provide [options]
       ktc module unload
       ktc module status [--json]

The kernel module tcp_trace.ko, which tells what the native tracepoints cannot.

  build    builds it for this kernel, or for RELEASE, and installs it; needs kernel-devel, gcc and make
  load     loads the installed one, or FILE
  provide  loads it where the configuration uses it (source.kind), built first if source.module.build is true
  unload   takes it out of the kernel; refused while anybody traces with it
  status   what it offers on this kernel, and how each of its probes does

Options:
      --kernel RELEASE  as uname -r says it (this kernel's)
      --headers DIR     the kernel's prepared headers (/lib/modules/RELEASE/build)
      --output FILE     put the module there instead of installing it
      --json            for programs
${configOptionsHelp}  -h, --help            show this help

Exit codes: 0 done, 1 status: not loaded, 64 wrong options, 69 it cannot be had, 77 not permitted, 78 wrong
configuration; one line says why. provide is done without the module where source.kind is auto.

Examples:
  ktc module build && ktc module load
  ktc module build --headers /usr/src/kernels/3.10.0-862.el7.x86_64 --output tcp_trace.ko
  ktc module status
`;

/** A line about the module, and one line per hook. */
function statusText({ version, api, hooks }: ModuleStatus): string {
  const rows = [
    ['EVENT', 'FUNCTION', 'STATE', 'BY', 'MISSED'],
    ...hooks.map((hook) => [hook.probe, hook.function, hook.state, hook.way ?? '-', String(hook.missed)]),
  ];
  return `${MODULE_NAME}.ko ${version}, API ${api}, is loaded\n${formatTable(rows)}`;
}

function status(json: boolean): ExitCode {
  const module = readModule();
  if (json) print(`${JSON.stringify(module, null, 2)}\n`);
  else print(module === null ? `${MODULE_NAME}.ko is not loaded\n` : statusText(module));
  return module === null ? EXIT.failed : EXIT.ok;
}

interface BuildValues {
  readonly headers?: string;
  readonly output?: string;
  readonly kernel?: string;
}

function build({ headers, output, kernel = release() }: BuildValues): ExitCode {
  const built = buildModule({
    sources: moduleSources(),
    kernel,
    headers: headers ?? null,
    output: output ?? null,
  });
  if (!built.ok) return fail(EXIT.unavailable, built.problem);
  return print(`${output ?? `installed ${MODULE_NAME}.ko for ${kernel}`}\n`);
}

function load(file: string, json: boolean): ExitCode {
  const loaded = loadModule(file);
  if (loaded.ok) return status(json);
  return fail(loaded.permission ? EXIT.noPermission : EXIT.unavailable, loaded.problem);
}

function provide(values: ConfigOptionValues): ExitCode {
  const read = readConfig(values);
  if (!read.ok) return configurationError(read);
  const { config } = read.value;
  const { kind } = config.source;
  if (kind !== 'module' && kind !== 'auto') return print(`source.kind is ${kind}: no module is needed\n`);
  const provided = provideModule(config);
  if (provided.ok) return status(false);
  if (provided.permission === true) return fail(EXIT.noPermission, provided.problem);
  if (kind === 'module') return fail(EXIT.unavailable, provided.problem);
  return print(`source.kind is auto: the agent does without the module: ${provided.problem}\n`);
}

function unload(): ExitCode {
  const unloaded = unloadModule();
  return unloaded.ok ? EXIT.ok : fail(EXIT.unavailable, unloaded.problem);
}

export const moduleCommand = createCommand({
  name: 'module',
  help: HELP,
  options: {
    kernel: { type: 'string' },
    headers: { type: 'string' },
    output: { type: 'string' },
    json: { type: 'boolean', default: false },
    ...configOptions,
  },
  takesWords: true,
  run(values, [verb, file = '', ...more]) {
    if (more.length > 0 || (file !== '' && verb !== 'load'))
      return fail(EXIT.usage, 'module: too many words; see ktc module --help');
    switch (verb) {
      case 'build':
        return build(values);
      case 'load':
        return load(file, values.json);
      case 'provide':
        return provide(values);
      case 'unload':
        return unload();
      case 'status':
        return status(values.json);
      default:
        return fail(
          EXIT.usage,
          'module needs one of build, load, provide, unload, status; see ktc module --help',
        );
    }
  },
});
