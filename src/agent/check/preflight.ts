/** Can this host run the agent as configured? Each finding is one line; the check leaves nothing changed. */
import { statfs } from 'node:fs/promises';
import { release } from 'node:os';
import type { ConfigResult, LoadedConfig } from '../../config/load.ts';
import { systemFiles } from '../../pipeline/spool/disk/files.ts';
import { checkSpoolDirectory } from '../../pipeline/spool/open.ts';
import { refusal } from '../../shared/result.ts';
import { doubtsOf, readIdentity } from '../../source/host/identity.ts';
import { serveTelemetry } from '../../telemetry/http.ts';
import { checkSinks } from '../assembly/sinks.ts';
import { environmentNotes } from '../environment.ts';
import { type Finding, failed, ok, warning } from './finding.ts';
import { checkSource } from './source.ts';
import { checkUser } from './user.ts';

const MIB = 1 << 20;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Opens everything that the agent would open, in the same order and as the same users, and closes it again. A process
 * that was root may have given root up afterwards. `reread` as in `checkUser`.
 */
export async function preflight(
  loaded: LoadedConfig,
  version: string,
  reread: (() => ConfigResult) | null = null,
): Promise<Finding[]> {
  return [
    ok('kernel', release()),
    ...(loaded.config.source.kind === 'replay' ? [] : hostFindings(loaded)),
    ...(await checkSource(loaded)),
    await checkSpool(loaded),
    ...checkUser(loaded.config, reread),
    ...(await findSinkProblems(loaded, version)),
    ...environmentNotes(process.env, loaded.config).map((note) => warning('environment', note)),
    ...(await checkEndpoint(loaded)),
  ];
}

function hostFindings({ config: { host } }: LoadedConfig): Finding[] {
  return doubtsOf(readIdentity(host.name)).map((doubt) => warning('host', doubt));
}

async function checkSpool({ config: { spool, queue } }: LoadedConfig): Promise<Finding> {
  const { directory, max_bytes, when_full } = spool;
  if (!spool.enabled) {
    return ok('spool', `off: up to ${Math.round(queue.max_bytes / MIB)} MiB wait in memory, lost in a crash`);
  }
  const checked = checkSpoolDirectory(directory, systemFiles);
  if (!checked.ok) return failed('spool', checked.problem);
  const { bavail, bsize } = await statfs(directory);
  const free = Math.round((bavail * bsize) / MIB);
  const detail = `${free} MiB free in ${directory}, up to ${Math.round(max_bytes / MIB)} MiB used, then ${when_full}`;
  if (bavail * bsize > max_bytes) return ok('spool', detail);
  return warning('spool', `${detail}: lower spool.max_bytes`);
}

async function findSinkProblems({ config, secrets }: LoadedConfig, version: string): Promise<Finding[]> {
  const host = readIdentity(config.host.name).hostName;
  const findings = await checkSinks(config, { version, host, secrets, log: SILENT, onStdoutClosed() {} });
  return findings.map(({ name, verdict, detail }) => ({ name: `sink ${name}`, verdict, detail }));
}

async function checkEndpoint({ config }: LoadedConfig): Promise<Finding[]> {
  const { http } = config.telemetry;
  if (!http.enabled) return [];
  const server = await serveTelemetry({
    address: http.address,
    port: http.port,
    snapshot: () => {
      throw new Error('nothing is served during a check');
    },
    prometheus: () => Promise.reject(new Error('nothing is served during a check')),
    emitHostStatus: () => Promise.resolve(refusal('nothing is served during a check')),
  });
  if (!server.ok) return [warning('telemetry', server.problem)];
  const { address, close } = server.value;
  await close();
  if (!/^(127\.|::1$)/.test(address)) {
    const detail = `${address}:${http.port} can be reached from elsewhere, and nobody has to log in there`;
    return [warning('telemetry', `${detail}: set telemetry.http.address to 127.0.0.1, or keep others off`)];
  }
  return [ok('telemetry', `${address}:${http.port} is free`)];
}
