/** The RPM, as rpm 4.11 of EL7 reads it. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type PackageOptions, packageVersion } from './options.ts';
import { PackagingFault, run } from './process.ts';
import { type Parts, stageHostFiles, stageTree } from './tree.ts';

/** Gives the path of the package. */
export function buildRpm(parts: Parts, options: PackageOptions): string {
  const { epoch, level, output, signingKey } = options;
  const version = packageVersion(options);
  const work = mkdtempSync(join(tmpdir(), 'ktc-rpm-'));
  try {
    // First, because a wrong key is known before a minute of work.
    const signer = signingKey === null ? null : importKey(signingKey, work);
    const tree = join(work, 'tree');
    stageTree(tree, '/usr', parts, options);
    stageHostFiles(tree, { switchFile: 'etc/sysconfig/ktc-agent', dropIns: '219' }, options);
    const macros = {
      _topdir: work,
      _rpmdir: work,
      agent_version: version,
      tree,
      // Instead of /usr/lib/rpm's post-processing, which would strip Node.js and compress what is compared.
      __os_install_post: '%{nil}',
      debug_package: '%{nil}',
      _build_id_links: 'none',
      // SHA-256 (8), which FIPS wants; xz and no zstd, which rpm 4.11 does not know.
      _binary_filedigest_algorithm: '8',
      _source_filedigest_algorithm: '8',
      _binary_payload: `w${level}.xzdio`,
      // The same bytes again, wherever it is built.
      _buildhost: 'reproducible',
      use_source_date_epoch_as_buildtime: '1',
      clamp_mtime_to_source_date_epoch: '1',
      ...(parts.runtime.needs.rpm.length > 0 && { needs: parts.runtime.needs.rpm.join(', ') }),
    };
    const defines = Object.entries(macros).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
    const target = ['--target', 'x86_64-redhat-linux', '-bb', resolve('packaging/rpm/ktc-agent.spec')];
    mkdirSync(join(work, 'BUILD'));
    run('rpmbuild', [...defines, ...target], { env: { SOURCE_DATE_EPOCH: String(epoch) } });
    const name = `ktc-agent-${version}-1.x86_64.rpm`;
    const built = join(work, 'x86_64', name);
    if (signer !== null) sign(built, signer);
    const file = join(output, name);
    run('cp', [built, file]);
    console.log(signingKey === null ? `${name} is not signed` : `${name} is signed with ${signingKey}`);
    return file;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

interface Signer {
  /** The directory of GnuPG. */
  readonly home: string;
  readonly keyId: string;
}

function importKey(key: string, work: string): Signer {
  const home = join(work, 'gnupg');
  mkdirSync(home, { mode: 0o700 });
  const gpg = (...words: string[]) => run('gpg', ['--homedir', home, '--batch', '--quiet', ...words]);
  gpg('--import', key);
  // sec:validity:length:algorithm:keyid…, and algorithm 1 is RSA (doc/DETAILS of GnuPG).
  const [, algorithm, keyId = ''] =
    /^sec:[^:]*:\d+:(\d+):(\w+):/m.exec(gpg('--list-secret-keys', '--with-colons')) ?? [];
  if (algorithm === '1') return { home, keyId };
  endAgent(home);
  throw new PackagingFault(`${key} is not an RSA key: rpm of EL7 would not read its signature`);
}

/** Signs with the primary key itself: rpm 4.11 knows no subkeys. */
function sign(file: string, { home, keyId }: Signer): void {
  const macros = {
    _gpg_name: `${keyId}!`,
    _gpg_path: home,
    __gpg: '/usr/bin/gpg',
    _gpg_digest_algo: 'sha256',
  };
  const defines = Object.entries(macros).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
  try {
    run('rpmsign', [...defines, '--addsign', file]);
  } finally {
    endAgent(home);
  }
}

function endAgent(home: string): void {
  run('gpgconf', ['--homedir', home, '--kill', 'all']);
}
