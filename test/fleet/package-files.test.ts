/** What is in the packages: the same bytes in every build, the right owners, and nothing that EL7 cannot read. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildPackages, fileIn, noPackagesReason, packagesOf, VERSION } from '../support/packages.ts';

if (noPackagesReason) console.warn(`skipped: the files of the packages: ${noPackagesReason}`);

const output = (program: string, args: readonly string[]) =>
  execFileSync(program, args, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    maxBuffer: 2 ** 26,
    stdio: 'pipe',
  });

describe.skipIf(noPackagesReason)('the packages', () => {
  let packages = '';
  let rpm = '';
  const query = (format: string) => output('rpm', ['-qp', '--qf', format, rpm]);
  const lines = (text: string) => text.split('\n').filter((line) => line !== '');
  const ask = (what: string) => lines(output('rpm', ['-qp', what, rpm]));

  beforeAll(() => {
    packages = packagesOf(VERSION);
    rpm = fileIn(packages, '.rpm');
  });

  it('have the same bytes when they are built again, in another directory and with another umask', () => {
    const umask = process.umask(0o077);
    let again = '';
    try {
      again = buildPackages(['tarball', 'rpm', 'deb']);
      const sums = readFileSync(join(packages, 'SHA256SUMS'), 'utf8');
      expect(lines(sums)).toHaveLength(3);
      expect(readFileSync(join(again, 'SHA256SUMS'), 'utf8')).toBe(sums);
      execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: packages, stdio: 'pipe' });
    } finally {
      process.umask(umask);
      rmSync(again, { recursive: true, force: true });
    }
  });

  it('the RPM has a payload, digests and features that rpm 4.11 knows', () => {
    // 8 is SHA-256 (RFC 4880, 9.4).
    expect(query('%{PAYLOADCOMPRESSOR} %{FILEDIGESTALGO} %{PAYLOADFORMAT} %{ARCH}')).toBe('xz 8 cpio x86_64');
    // The SHA-1 of the header and the MD5 of everything are what 4.11 verifies.
    expect(query('%{SHA1HEADER}')).toMatch(/^[0-9a-f]{40}$/);
    expect(query('%{SIGMD5}')).toMatch(/^[0-9a-f]{32}$/);
    expect(ask('--requires').map((line) => line.trim())).toEqual([
      '/bin/sh',
      '/bin/sh',
      '/bin/sh',
      '/bin/sh',
      'rpmlib(CompressedFileNames) <= 3.0.4-1',
      'rpmlib(FileDigests) <= 4.6.0-1',
      'rpmlib(PayloadFilesHavePrefix) <= 4.0-1',
      'rpmlib(PayloadIsXz) <= 5.2-1',
      'shadow-utils',
      'systemd',
    ]);
    expect(ask('--provides').map((line) => line.trim())).toEqual([
      `ktc-agent = ${VERSION}-1`,
      `ktc-agent(x86-64) = ${VERSION}-1`,
    ]);
    expect(ask('--conflicts')).toEqual([]);
  });

  it('the RPM has its files in the places and with the owners of EL7, and no build-id links', () => {
    const files = lines(query('[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME}\n]'));
    expect(files.filter((line) => /^\/(etc|var)/.test(line))).toEqual([
      '/etc/ktc drwxr-x--- root:ktc',
      '/etc/ktc/agent.json -rw-r----- root:ktc',
      '/etc/ktc/conf.d drwxr-x--- root:ktc',
      '/etc/sysconfig/ktc-agent -rw-r--r-- root:root',
      '/var/lib/ktc drwxr-x--- ktc:ktc',
      '/var/lib/ktc/spool drwx------ ktc:ktc',
      '/var/log/ktc drwxr-x--- ktc:ktc',
    ]);
    const others = files.filter((line) => !/^\/(etc|var)/.test(line));
    expect(
      others.filter((line) => !/ (drwxr-xr-x|-rwxr-xr-x|-rw-r--r--|lrwxrwxrwx) root:root$/.test(line)),
    ).toEqual([]);
    expect(others).toEqual(
      expect.arrayContaining([
        '/usr/bin/ktc -rwxr-xr-x root:root',
        '/usr/lib/systemd/system/ktc-agent.service -rw-r--r-- root:root',
        '/usr/lib/systemd/system/ktc-agent.service.d/10-limits.conf -rw-r--r-- root:root',
        '/usr/lib/systemd/system/ktc-module.service -rw-r--r-- root:root',
        '/usr/lib/ktc-agent/node -rwxr-xr-x root:root',
        expect.stringMatching(/^\/usr\/src\/tcp_trace-[\d.]+ lrwxrwxrwx root:root$/),
      ]),
    );
    expect(files.filter((line) => line.includes('build-id'))).toEqual([]);
    expect(ask('--configfiles')).toEqual(['/etc/ktc/agent.json', '/etc/sysconfig/ktc-agent']);
  });

  it('the RPM says who signed it', () => {
    expect(output('rpm', ['-Kv', rpm])).not.toMatch(/Signature/);
    const work = mkdtempSync(join(tmpdir(), 'ktc-sign-'));
    const home = join(work, 'gnupg');
    mkdirSync(home, { mode: 0o700 });
    const gpg = (...words: string[]) =>
      output('gpg', [
        '--homedir',
        home,
        '--batch',
        '--quiet',
        '--pinentry-mode',
        'loopback',
        '--passphrase',
        '',
        ...words,
      ]);
    const sign = (name: string, algorithm: string) => {
      gpg('--quick-generate-key', name, algorithm, 'sign', 'never');
      const key = join(work, `${name}.asc`);
      writeFileSync(key, gpg('--armor', '--export-secret-keys', name));
      return key;
    };
    try {
      const signed = buildPackages(['rpm'], { env: { KTC_RPM_SIGNING_KEY: sign('site', 'rsa2048') } });
      try {
        const database = ['--dbpath', join(work, 'rpmdb')];
        writeFileSync(join(work, 'public.asc'), gpg('--armor', '--export', 'site'));
        output('rpmkeys', [...database, '--import', join(work, 'public.asc')]);
        const checked = output('rpmkeys', [...database, '-Kv', fileIn(signed, '.rpm')]);
        expect(checked).toMatch(/Header V4 RSA\/SHA256 Signature, key ID \w+: OK/);
        // Only the signature was added.
        expect(output('rpm', ['-qp', '--qf', '%{SHA1HEADER}', fileIn(signed, '.rpm')])).toBe(
          query('%{SHA1HEADER}'),
        );
      } finally {
        rmSync(signed, { recursive: true, force: true });
      }
      expect(() =>
        buildPackages(['rpm'], { env: { KTC_RPM_SIGNING_KEY: sign('modern', 'ed25519') } }),
      ).toThrow(/modern\.asc is not an RSA key/);
    } finally {
      spawnSync('gpgconf', ['--homedir', home, '--kill', 'all']);
      rmSync(work, { recursive: true, force: true });
    }
  });

  it('the Debian package names its configuration files, and depends on nothing that makes a host grow', () => {
    const deb = fileIn(packages, '.deb');
    expect(output('dpkg-deb', ['--field', deb, 'Package', 'Version', 'Architecture', 'Depends'])).toBe(
      `Package: ktc-agent\nVersion: ${VERSION}-1\nArchitecture: amd64\nDepends: passwd\n`,
    );
    expect(output('dpkg-deb', ['--info', deb, 'conffiles'])).toBe(
      '/etc/default/ktc-agent\n/etc/ktc/agent.json\n',
    );
    const foreign = lines(output('dpkg-deb', ['--contents', deb])).filter(
      (line) => !line.includes(' root/root '),
    );
    expect(foreign).toEqual([]);
  });
});
