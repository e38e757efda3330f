/**
 * Variables that an orchestrator sets in every container for every service that it runs: for a service named `ktc` they
 * begin like ours (Kubernetes, "Environment variables" of Services, after the links of Docker).
 */

/** `tcp://10.96.0.7:9474` */
const URL_OF_PORT = /^(tcp|udp|sctp):\/\/\S+:\d+$/;
const ADDRESS = /^[0-9a-fA-F.:]+$/;
const NUMBER = /^\d+$/;
const ANYTHING = /^/;

/** What follows the service's name, and what the value looks like. */
const ENDINGS: readonly (readonly [name: RegExp, value: RegExp])[] = [
  [/_SERVICE_HOST$/, ADDRESS],
  [/_SERVICE_PORT(_[A-Z0-9_]+)?$/, NUMBER],
  [/_PORT$/, URL_OF_PORT],
  [/_PORT_\d+_(TCP|UDP|SCTP)$/, URL_OF_PORT],
  [/_PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)$/, ANYTHING],
];

/** Of these the name alone is enough. */
const OF_SERVICE_KTC: ReadonlySet<string> = new Set(['KTC_PORT', 'KTC_SERVICE_HOST', 'KTC_SERVICE_PORT']);

/** Whether a variable is one of a service, by its name and by its value: `KTC_TELEMETRY_HTTP_PORT` may be either. */
export function isOfService(variable: string, value: string): boolean {
  if (OF_SERVICE_KTC.has(variable)) return true;
  return ENDINGS.some(([name, looks]) => name.test(variable) && looks.test(value));
}
