/**
 * The cheapest reader of `trace_pipe` found: one regular expression over a whole read, no objects, a template that
 * makes JSON, the text of a second made once.
 */
import { COMMON_FIELDS, serveTextReader, wallMicroseconds } from './trace-pipe.ts';

const LINE =
  /^ *(.+)-(\d+) +\[(\d+)\] \S+ +(\d+)\.(\d+): inet_sock_set_state: family=AF_INET(6?) protocol=\S+ sport=(\d+) dport=(\d+) saddr=(\S+) daddr=(\S+) saddrv6=(\S+) daddrv6=(\S+) oldstate=TCP_(\w+) newstate=TCP_(\w+)$/gm;
const PREFIX = `${JSON.stringify(COMMON_FIELDS).slice(0, -1)},"timestamp":"`;

let secondShown = 0;
let secondText = '';

function timestamp(seconds: string, fraction: string): string {
  const time = wallMicroseconds(seconds, fraction);
  const second = Math.floor(time / 1e6);
  if (second !== secondShown) {
    secondShown = second;
    secondText = new Date(second * 1000).toISOString().slice(0, 20);
  }
  return `${secondText}${String(time - second * 1e6).padStart(6, '0')}Z`;
}

function toJson(fields: RegExpExecArray): string {
  const [
    ,
    comm,
    pid,
    cpu,
    seconds = '',
    fraction = '',
    six,
    sport,
    dport,
    saddr,
    daddr,
    saddr6,
    daddr6,
    from,
    to,
  ] = fields;
  return `${PREFIX}${timestamp(seconds, fraction)}","pid":${pid},"comm":${JSON.stringify(comm)},"cpu":${Number(cpu)},"ip_version":${six === '6' ? 6 : 4},"local_address":"${six === '6' ? saddr6 : saddr}","local_port":${sport},"remote_address":"${six === '6' ? daddr6 : daddr}","remote_port":${dport},"old_state":"${from}","new_state":"${to}"}\n`;
}

await serveTextReader((lines) => {
  let json = '';
  let events = 0;
  LINE.lastIndex = 0;
  for (let fields = LINE.exec(lines); fields !== null; fields = LINE.exec(lines)) {
    json += toJson(fields);
    events++;
  }
  return { json, events };
});
