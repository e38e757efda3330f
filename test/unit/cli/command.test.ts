import { describe, expect, it } from 'vitest';
import { failure } from '../../../src/agent/session-end.ts';
import { createCommand } from '../../../src/cli/command.ts';
import { EXIT, exitCodeOf } from '../../../src/cli/exit.ts';
import { runCaptured } from './capture.ts';

const sample = createCommand({
  name: 'sample',
  help: 'Usage: ktc sample\n',
  options: { size: { type: 'string', short: 's' } },
  run: ({ size }) => (size === undefined ? EXIT.ok : EXIT.failed),
});

describe('a command', () => {
  it.each([
    [[], { code: 0, stdout: '', stderr: '' }],
    [['-s', '1'], { code: 1, stdout: '', stderr: '' }],
    [['--help'], { code: 0, stdout: 'Usage: ktc sample\n', stderr: '' }],
    [['--size', '1', '-h'], { code: 0, stdout: 'Usage: ktc sample\n', stderr: '' }],
  ])('%j runs or prints its help', async (words, outcome) => {
    expect(await runCaptured(sample, words)).toEqual(outcome);
  });

  it.each([
    [['--sise'], "Unknown option '--sise'"],
    [['--size'], "Option '-s, --size <value>' argument missing"],
    [['--help=yes'], "Option '-h, --help' does not take an argument"],
    [['word'], "Unexpected argument 'word'"],
  ])('refuses %j in one line', async (words, problem) => {
    expect(await runCaptured(sample, words)).toEqual({
      code: 64,
      stdout: '',
      stderr: `ktc: sample: ${problem}; ktc sample --help lists the options\n`,
    });
  });

  it('takes words where it wants them, and reports wrong options as it likes', async () => {
    const seen: string[] = [];
    const words = createCommand({
      name: 'words',
      help: '',
      options: {},
      takesWords: true,
      refuse: (problem) => (problem === "Unknown option '-x'" ? EXIT.usage : EXIT.bug),
      run(_, given) {
        seen.push(...given);
        return EXIT.ok;
      },
    });
    expect((await runCaptured(words, ['one', 'two'])).code).toBe(0);
    expect(seen).toEqual(['one', 'two']);
    expect(await runCaptured(words, ['-x'])).toEqual({ code: 64, stdout: '', stderr: '' });
  });
});

describe('the exit code of a session', () => {
  it.each([
    ['unavailable', 69],
    ['not_permitted', 77],
    ['misconfigured', 78],
    ['damaged', 65],
    ['io', 74],
    ['left', 1],
  ] as const)('that failed as %s is %d, with its problem', async (reason, code) => {
    const end = failure(reason, 'it did not work');
    const command = async () => exitCodeOf(end);
    expect(await runCaptured(command, [])).toEqual({ code, stdout: '', stderr: 'ktc: it did not work\n' });
  });

  it('comes with the hint for its reason, and with no other', async () => {
    const end = failure('unavailable', 'it did not work');
    const hinted = async () => exitCodeOf(end, { unavailable: 'try again' });
    expect((await runCaptured(hinted, [])).stderr).toBe('ktc: it did not work\nktc: try again\n');
    const other = async () => exitCodeOf(end, { not_permitted: 'use sudo' });
    expect((await runCaptured(other, [])).stderr).toBe('ktc: it did not work\n');
  });

  it('that did its work is 0', async () => {
    const command = async () => exitCodeOf({ ok: true, value: 7 });
    expect(await runCaptured(command, [])).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});
