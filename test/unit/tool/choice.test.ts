import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../../src/cli/command.ts';
import { type Choice, readChoice } from '../../../src/tool/choice.ts';
import { helpOf } from '../../../src/tool/help.ts';
import { optionsOf, parserOptions } from '../../../src/tool/option.ts';
import { pageOf } from '../../../src/tool/page.ts';
import { TOOL_NAMES, TOOLS, type ToolName } from '../../../src/tool/tool.ts';

/** As the command line is read; a problem is a text. */
function read(tool: ToolName, ...args: string[]): Choice | string {
  const parsed = parseArguments({ args, allowPositionals: true, options: parserOptions(optionsOf(tool)) });
  if (!parsed.ok) return parsed.problem;
  const { values, positionals } = parsed.value;
  const result = readChoice(TOOLS[tool], values, positionals);
  return result.ok ? result.value : result.problem;
}

describe("bcc's short letters", () => {
  const ports = new Set([80, 443]);
  const same: [ToolName, string[], Partial<Choice>][] = [
    ['tcpretrans', ['-s', '-l', '-c', '-4'], { sequence: true, lossProbes: true, count: true, version: 4 }],
    ['tcplife', ['-T', '-t', '-w', '-s'], { time: true, timestamp: true, wide: true, format: 'csv' }],
    ['tcplife', ['-p', '7', '-L', '80,443', '-6'], { pid: 7, localPorts: ports, version: 6 }],
    ['tcplife', ['-D', '80,443'], { remotePorts: ports }],
    ['tcpstates', ['-T', '-t', '-w', '-s', '-L', '80,443'], { format: 'csv', localPorts: ports }],
    ['tcpstates', ['-D', '80,443'], { remotePorts: ports }],
    ['tcpconnect', ['-t', '-p', '7', '-P', '80,443', '-L'], { pid: 7, remotePorts: ports }],
    ['tcpconnect', ['-U', '-u', '33', '-c'], { printUid: true, uid: 33, count: true }],
    ['tcpaccept', ['-T', '-t', '-p', '7', '-P', '80,443'], { time: true, localPorts: ports }],
    ['tcpconnlat', ['-t', '-p', '7', '-L', '-v', '2.5'], { pid: 7, verbose: true, minUs: 2500 }],
  ];
  it.each(same)('of %s mean the same: %j', (tool, args, choice) => {
    expect(read(tool, ...args)).toMatchObject(choice);
  });
});

describe('long names', () => {
  const everywhere =
    '--pid 7 --local-port 80 --remote-port 443 --ipv4 --timestamp --wide --csv --duration 2.5 --from x --verbose';
  it.each(TOOL_NAMES)('are the same for %s', (tool) => {
    expect(read(tool, ...everywhere.split(' '))).toMatchObject({
      pid: 7,
      localPorts: new Set([80]),
      remotePorts: new Set([443]),
      version: 4,
      timestamp: true,
      wide: true,
      format: 'csv',
      seconds: 2.5,
      from: 'x',
      verbose: true,
    });
  });
});

describe('mistakes', () => {
  const mistakes: [ToolName, string, string][] = [
    ['tcplife', '--ipv4 --ipv6', '--ipv4 and --ipv6 exclude each other'],
    ['tcplife', '--csv --json', '--csv and --json exclude each other'],
    ['tcpretrans', '--count --json', '--count and --json exclude each other'],
    ['tcplife', '--from x --source module', '--from and --source exclude each other'],
    ['tcplife', '--local-port 80,', '--local-port : goes from 1 to 65535'],
    ['tcplife', '--remote-port 70000', '--remote-port 70000: goes from 1 to 65535'],
    ['tcplife', '--pid 1x', '--pid 1x: goes from 0 to 4194304'],
    ['tcplife', '--duration 0', '--duration 0: goes up to 2147483 seconds'],
    ['tcplife', '--duration soon', '--duration soon: is not a number'],
    ['tcplife', '--source ebpf', '--source ebpf: is one of auto, module, tracepoints'],
    ['tcplife', '80', 'takes no "80"'],
    ['tcpconnlat', '1 2', 'takes no "2"'],
    ['tcpconnlat', '1 --min-ms 2', 'MIN_MS is given twice'],
    ['tcplife', '--sequence', "Unknown option '--sequence'"],
    ['tcpstates', '-Y', "Unknown option '-Y'"],
  ];
  it.each(mistakes)('of %s: %s', (tool, args, problem) => {
    expect(read(tool, ...args.split(' '))).toBe(problem);
  });
});

describe('--help', () => {
  it.each(TOOL_NAMES)('of %s has every option and fits into 100 columns', (tool) => {
    const help = helpOf(pageOf(TOOLS[tool]));
    for (const { name, help: text } of optionsOf(tool)) {
      expect(help).toMatch(new RegExp(`--${name}\\b`));
      expect(help).toContain(text);
    }
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    expect(help).toMatch(/\n\nExamples:\n( {2}ktc .*\n)+$/);
  });

  it.each(TOOL_NAMES)('of %s uses no letter twice', (tool) => {
    const letters = optionsOf(tool).flatMap(({ letter }) => letter ?? []);
    expect(new Set(letters).size).toBe(letters.length);
  });
});
