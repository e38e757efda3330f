/**
 * Records real ring-buffer pages on a guest kernel: boots it, lets lossy TCP traffic run and the bundled agent record.
 * Writes test/recordings/linux-<kernel>.ktcrec and test/fixtures/formats/<kernel>/, or, of the events of tcp_trace.ko,
 * test/recordings/module-<kernel>.ktcrec.
 * Usage: make-guest-recording.ts [6.1|6.12] [module]
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { buildGuestModule } from '../test/support/guest/module.ts';
import { bootGuest, type GuestKernel, guestUnavailable } from '../test/support/guest.ts';

const repository = join(import.meta.dirname, '..');
const support = join(repository, 'test/support/guest');
const durationSeconds = 6;

const source = process.argv[3] === 'module' ? 'module' : 'tracepoints';

const script = `
set -eu
${source === 'module' ? 'insmod /tcp_trace.ko' : 'sh /collect-formats.sh /out/formats'}
sh /lossy-loopback.sh
node --no-warnings /traffic.ts 192.0.2.1 2001:db8::1 &
traffic=$!
trap 'kill $traffic' EXIT
node /ktc.cjs record --duration ${durationSeconds} --output /out/recording --set source.kind=${source}
grep ^Tcp: /proc/net/snmp
`;

function stop(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function isGuestKernel(name: string): name is GuestKernel {
  return name === '6.1' || name === '6.12';
}

const kernel = process.argv[2] ?? '6.1';
if (!isGuestKernel(kernel)) stop(`no guest kernel ${kernel}; there are 6.1 and 6.12`);
const unavailable = guestUnavailable(kernel);
if (unavailable !== undefined) stop(unavailable);
if (!existsSync(join(repository, 'bin/ktc.cjs'))) stop('bin/ktc.cjs is not there; run make build first');

const {
  console: output,
  exitCode,
  outputs,
} = await bootGuest({
  kernel,
  script,
  node: true,
  programs: ['/usr/sbin/ip', '/usr/sbin/tc'],
  modules: ['sch_netem'],
  files: {
    '/collect-formats.sh': join(support, 'collect-formats.sh'),
    '/lossy-loopback.sh': join(support, 'lossy-loopback.sh'),
    '/traffic.ts': join(support, 'traffic.ts'),
    ...(source === 'module' && { '/tcp_trace.ko': buildGuestModule(kernel) }),
  },
  timeoutMs: (60 + durationSeconds) * 1000,
});
process.stdout.write(output);
if (exitCode !== 0) stop(`recording in the guest failed with exit code ${exitCode}`);

for (const [name, content] of outputs) {
  const path =
    name === 'recording'
      ? `test/recordings/${source === 'module' ? 'module' : 'linux'}-${kernel}.ktcrec`
      : join('test/fixtures/formats', kernel, basename(name));
  mkdirSync(join(repository, dirname(path)), { recursive: true });
  writeFileSync(join(repository, path), content);
  process.stdout.write(`wrote ${path}, ${content.length} bytes\n`);
}
