/** A reader of `trace_pipe` as one writes it first: lines, a regular expression with names, objects, JSON.stringify. */
import { COMMON_FIELDS, serveTextReader, wallMicroseconds } from './trace-pipe.ts';

const LINE =
  /^ *(?<comm>.+)-(?<pid>\d+) +\[(?<cpu>\d+)\] \S+ +(?<seconds>\d+)\.(?<fraction>\d+): inet_sock_set_state: family=AF_INET(?<six>6?) protocol=\S+ sport=(?<sport>\d+) dport=(?<dport>\d+) saddr=(?<saddr>\S+) daddr=(?<daddr>\S+) saddrv6=(?<saddr6>\S+) daddrv6=(?<daddr6>\S+) oldstate=TCP_(?<from>\w+) newstate=TCP_(?<to>\w+)$/;

function timestamp(seconds: string, fraction: string): string {
  const time = wallMicroseconds(seconds, fraction);
  const milliseconds = new Date(time / 1000).toISOString().slice(0, -1);
  return `${milliseconds}${String(time % 1000).padStart(3, '0')}Z`;
}

function toEvent(line: string): object | null {
  const groups = LINE.exec(line)?.groups;
  if (groups === undefined) return null;
  const { comm, pid, cpu, seconds = '', fraction = '', six, sport, dport, from, to } = groups;
  const { saddr, daddr, saddr6, daddr6 } = groups;
  return {
    ...COMMON_FIELDS,
    timestamp: timestamp(seconds, fraction),
    pid: Number(pid),
    comm,
    cpu: Number(cpu),
    ip_version: six === '6' ? 6 : 4,
    local_address: six === '6' ? saddr6 : saddr,
    local_port: Number(sport),
    remote_address: six === '6' ? daddr6 : daddr,
    remote_port: Number(dport),
    old_state: from,
    new_state: to,
  };
}

await serveTextReader((lines) => {
  let json = '';
  let events = 0;
  for (const line of lines.split('\n')) {
    const event = toEvent(line);
    if (event === null) continue;
    json += `${JSON.stringify(event)}\n`;
    events++;
  }
  return { json, events };
});
