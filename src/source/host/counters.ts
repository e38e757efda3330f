/** The kernel's own counters in /proc/net/snmp and /proc/net/netstat. */

/** Those that tell how TCP fares, and what this host dropped before TCP saw it. Kernels before them have not all. */
const KEPT: Readonly<Record<string, readonly string[]>> = {
  Ip: ['InDiscards', 'OutDiscards', 'OutNoRoutes', 'ReasmTimeout', 'ReasmReqds', 'ReasmOKs', 'ReasmFails'],
  Tcp: [
    'ActiveOpens',
    'PassiveOpens',
    'AttemptFails',
    'EstabResets',
    'InSegs',
    'OutSegs',
    'RetransSegs',
    'InErrs',
    'OutRsts',
    'InCsumErrors',
  ],
  TcpExt: [
    'ListenOverflows',
    'ListenDrops',
    'TCPLossProbes',
    'TCPLossProbeRecovery',
    'TCPTimeouts',
    'TCPSynRetrans',
    'TCPFastRetrans',
    'TCPSlowStartRetrans',
    'TCPLostRetransmit',
    'TCPRetransFail',
    'TCPSpuriousRTOs',
    'TCPDSACKRecv',
    'TCPOFOQueue',
    'TCPOFODrop',
    'TCPBacklogDrop',
    'TCPReqQFullDrop',
    'TCPReqQFullDoCookies',
    'TCPRcvQDrop',
    'TCPZeroWindowDrop',
    'TCPTimeWaitOverflow',
    'TCPMemoryPressures',
    'TCPAbortOnTimeout',
    'TCPAbortOnMemory',
    'PruneCalled',
    'RcvPruned',
  ],
};

/**
 * Both files have two lines for each protocol: the names, and their values, both behind `Tcp:` (net/ipv4/proc.c). A
 * counter that this kernel has not got is absent.
 */
export function parseCounters(text: string): Record<string, number> {
  const counters: Record<string, number> = {};
  const lines = text.split('\n').map((line) => line.split(' '));
  for (let index = 0; index + 1 < lines.length; index += 2) {
    const [names = [], values = []] = [lines[index], lines[index + 1]];
    const protocol = names[0]?.replace(/:$/, '') ?? '';
    for (const name of KEPT[protocol] ?? []) {
      const value = Number(values[names.indexOf(name, 1)]);
      if (Number.isSafeInteger(value) && value >= 0) counters[`${protocol}.${name}`] = value;
    }
  }
  return counters;
}
