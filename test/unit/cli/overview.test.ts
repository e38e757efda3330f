import { describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/exit.ts';
import { overviewManPage, overviewText } from '../../../src/cli/overview.ts';
import { TOOL_NAMES } from '../../../src/tool/tool.ts';

describe('the overview of the commands', () => {
  it('has the version and every tool, in the help and in the man page', () => {
    expect(overviewText('1.2.3')).toContain('ktc --version prints 1.2.3.');
    for (const name of TOOL_NAMES) {
      expect(overviewText('')).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
      expect(overviewManPage()).toContain(`\\fBktc ${name}\\fR`);
    }
  });

  it('has every exit code in the man page, and no other', () => {
    const codes = [...overviewManPage().matchAll(/^\.TP\n\\fB(\d+)\\fR$/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
  });
});
