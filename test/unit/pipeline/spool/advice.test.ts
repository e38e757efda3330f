import { describe, expect, test } from 'vitest';
import { explainFault, startProblem } from '../../../../src/pipeline/spool/advice.ts';
import { systemError } from './fixture.ts';

const DIRECTORY = '/var/lib/ktc/spool';
const LIMITS = { memoryBytes: 1000, maxBytes: 2000, whenFull: 'block' } as const;

describe('a directory that cannot be used', () => {
  test('is told in one line with the remedy, and with how to do without', () => {
    expect(startProblem(DIRECTORY, 'ENOENT')).toBe(
      'cannot use the spool directory /var/lib/ktc/spool: it does not exist; make it: ' +
        'install -d -m 0700 /var/lib/ktc/spool, owned by the user of the agent, ' +
        'or set spool.enabled to false and lose on a crash what is not delivered',
    );
  });

  test.each([
    ['ENOTDIR', /it is no directory; name one,/],
    ['EACCES', /permission denied; let the user of the agent read and write it,/],
    ['EPERM', /not permitted; let the user of the agent read and write it,/],
    ['EROFS', /its file system is read-only; name another directory,/],
    ['ENOSPC', /the disk is full; free space,/],
    ['EXDEV', /: EXDEV,/],
  ])('for %s says what to do', (code, said) => {
    expect(startProblem(DIRECTORY, code)).toMatch(said);
  });
});

describe('a fault of the disk', () => {
  test.each([
    ['ENOSPC', 'the disk is full'],
    ['EDQUOT', 'the disk quota is used up'],
    ['EROFS', 'the file system is read-only now'],
    ['ENOENT', 'the directory was removed'],
    ['EIO', "the disk reports an input/output error; see the kernel's log"],
    ['EMFILE', 'too many open files in this process; raise its limit (LimitNOFILE)'],
    ['ENFILE', 'too many open files on this host'],
    ['EXDEV', 'EXDEV: as the test wishes, write'],
  ])('%s is told in words', (code, words) => {
    expect(explainFault(DIRECTORY, systemError(code), LIMITS)).toBe(
      `cannot write to the spool /var/lib/ktc/spool: ${words}; events wait in memory, up to 1000 bytes, then reading pauses`,
    );
  });

  test('without a code is reported in the words of the system', () => {
    const { code: _, ...error } = systemError('EIO');
    expect(explainFault(DIRECTORY, { ...error, name: 'Error', message: 'out of luck' }, LIMITS)).toContain(
      'spool: out of luck; events wait',
    );
  });

  test.each([
    ['block', 'then reading pauses'],
    ['drop_oldest', 'then the newest are dropped and counted'],
    ['drop_newest', 'then the newest are dropped and counted'],
  ] as const)('with %s says what comes when the memory is full too', (whenFull, then) => {
    const said = explainFault(DIRECTORY, systemError('EIO'), { ...LIMITS, whenFull });
    expect(said.endsWith(`, ${then}`)).toBe(true);
  });
});
