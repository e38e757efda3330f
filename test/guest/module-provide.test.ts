/** `ktc module provide`, what ktc-module.service runs at each boot: the module of this kernel, or the reason why not. */
import { expect, test } from 'vitest';
import type { ModuleStatus } from '../../src/source/module/status.ts';
import { buildGuestModule } from '../support/guest/module.ts';
import { bootGuest, guestAgentUnavailable } from '../support/guest.ts';

const KERNEL = '6.1';
const unavailable = guestAgentUnavailable(KERNEL);
if (unavailable !== undefined) console.warn(`skipped: ktc module provide: ${unavailable}`);

const SCRIPT = `
provide() { node /ktc.cjs module provide --set sink.stdout.enabled=true "$@"; echo "code $?"; }
provide > /out/auto 2>&1
provide --set source.kind=module > /out/must 2>&1
node /ktc.cjs module load /other-api.ko > /out/other 2>&1
mkdir -p /lib/modules/$(uname -r)/extra
cp /tcp_trace.ko /lib/modules/$(uname -r)/extra/
provide > /out/prebuilt 2>&1
node /ktc.cjs module status --json > /out/status
provide --set source.kind=tracepoints > /out/tracepoints 2>&1
`;

test.skipIf(unavailable !== undefined)(
  'loads the prebuilt module without depmod, in place of one of another version; auto does without',
  async () => {
    const { exitCode, outputs, console } = await bootGuest({
      kernel: KERNEL,
      node: true,
      files: {
        '/tcp_trace.ko': buildGuestModule(KERNEL),
        '/other-api.ko': buildGuestModule(KERNEL, 'newer-api'),
      },
      script: SCRIPT,
    });
    const output = (name: string): string => outputs.get(name)?.toString() ?? '';
    expect(exitCode, console).toBe(0);
    const absent = /there is no tcp_trace\.ko for kernel 6\.1\S+: `ktc module build` makes it/;
    expect(output('auto')).toMatch(/^source\.kind is auto: the agent does without the module: .*\ncode 0\n$/);
    expect(output('auto')).toMatch(absent);
    expect(output('must')).toMatch(absent);
    expect(output('must')).toMatch(/\ncode 69\n$/);
    expect(output('other')).toMatch(/speaks API/);
    expect(output('prebuilt')).toMatch(/tcp_trace\.ko \S+, API \d+, is loaded\n.*code 0\n$/s);
    const status = JSON.parse(output('status')) as ModuleStatus;
    expect(output('other')).not.toContain(`speaks API ${status.api},`);
    expect(output('tracepoints')).toBe('source.kind is tracepoints: no module is needed\ncode 0\n');
  },
);
