/** The units of systemd 219 (EL7.5): `systemd-analyze verify` of a newer systemd does not flag what 219 lacks. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const DIRECTORY = join(import.meta.dirname, '../../../packaging/systemd');

/** Of systemd 219's load-fragment-gperf.gperf.m4, what a unit of ours may use. */
const KNOWN_TO_219: Readonly<Record<string, readonly string[]>> = {
  Unit: ['Description', 'Documentation', 'Wants', 'Requires', 'After', 'Before', 'ConditionPathExists'],
  Service: [
    ...['Type', 'NotifyAccess', 'WatchdogSec', 'RemainAfterExit', 'EnvironmentFile', 'Environment'],
    ...['ExecStartPre', 'ExecStart', 'ExecReload', 'KillMode', 'TimeoutStartSec', 'TimeoutStopSec'],
    ...[
      'Restart',
      'RestartSec',
      'StartLimitInterval',
      'StartLimitBurst',
      'SyslogIdentifier',
      'User',
      'Group',
    ],
    ...['LimitCORE', 'LimitNOFILE', 'CPUQuota', 'CPUShares', 'MemoryLimit', 'BlockIOWeight', 'TasksMax'],
    ...['CapabilityBoundingSet', 'NoNewPrivileges', 'PrivateTmp', 'PrivateDevices', 'PrivateNetwork'],
    ...[
      'ProtectHome',
      'ProtectSystem',
      'ReadWriteDirectories',
      'InaccessibleDirectories',
      'RuntimeDirectory',
    ],
    ...['RestrictAddressFamilies', 'SystemCallFilter', 'DeviceAllow', 'OOMScoreAdjust', 'Nice', 'UMask'],
  ],
  Install: ['WantedBy'],
};

/** What came after 219. */
const NEWER = [
  ...['ProtectKernelModules', 'ProtectKernelTunables', 'ProtectControlGroups', 'MemoryMax', 'CPUWeight'],
  ...['ReadWritePaths', 'InaccessiblePaths', 'StateDirectory', 'LogsDirectory', 'DynamicUser'],
  ...['MemoryDenyWriteExecute', 'RestrictNamespaces', 'LockPersonality', 'StartLimitIntervalSec'],
];

/** `Section.Key=value` of each assignment. */
function assignments(file: string): { section: string; key: string; value: string }[] {
  let section = '';
  return readFileSync(join(DIRECTORY, file), 'utf8')
    .split('\n')
    .flatMap((line) => {
      section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section;
      const [, key, value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
      return key === undefined ? [] : [{ section, key, value }];
    });
}

const unknownTo219 = (file: string) =>
  assignments(file).filter(({ section, key }) => !KNOWN_TO_219[section]?.includes(key));

describe('the units for systemd 219', () => {
  const files = [
    ...readdirSync(DIRECTORY).filter((name) => name.endsWith('.service')),
    ...readdirSync(join(DIRECTORY, '219')).map((name) => `219/${name}`),
  ];

  it.each(files)('%s uses only what it knows', (file) => {
    expect(assignments(file).length).toBeGreaterThan(0);
    expect(unknownTo219(file)).toEqual([]);
  });

  it('the check notices what is newer', () => {
    const newer = unknownTo219('newer/10-newer.conf').map(({ key }) => key);
    expect(newer).toEqual(expect.arrayContaining(['MemoryMax', 'ReadWritePaths', 'LockPersonality']));
    expect(
      Object.values(KNOWN_TO_219)
        .flat()
        .filter((key) => NEWER.includes(key)),
    ).toEqual([]);
  });

  const valuesOf = (key: string) =>
    assignments('ktc-agent.service').flatMap((one) => (one.key === key ? [one.value] : []));

  it('have values that it takes, and no NoNewPrivileges, which keeps a service in init_t there', () => {
    expect(['yes', 'full']).toEqual(expect.arrayContaining(valuesOf('ProtectSystem')));
    expect(['simple', 'forking', 'oneshot', 'dbus', 'notify', 'idle']).toEqual(
      expect.arrayContaining(valuesOf('Type')),
    );
    expect(valuesOf('NoNewPrivileges')).toEqual([]);
  });

  it('never give up, and never start more often than four times a minute', () => {
    expect(valuesOf('Restart')).toEqual(['always']);
    expect(valuesOf('StartLimitInterval')).toEqual(['0']);
    expect(Number(valuesOf('RestartSec')[0])).toBeGreaterThanOrEqual(15);
  });

  it('nothing unloads the module, and the agent does not need it', () => {
    expect(assignments('ktc-module.service').filter(({ key }) => key.startsWith('ExecStop'))).toEqual([]);
    expect(valuesOf('Wants').join(' ')).toContain('ktc-module.service');
    expect(valuesOf('Requires')).toEqual([]);
  });
});
