/**
 * A cluster of real ClickHouse servers 25.8 (real-server.py beside this file) on the loopback: two shards of two replicas each,
 * with a ZooKeeper.
 *
 *     const cluster = await startCluster();
 *     await cluster.nodes[0].apply('--cluster', CLUSTER);      // as of any ClickHouse (http.ts)
 *     await cluster.nodes[3].kill();
 *     await cluster.nodes[3].start();
 *     await cluster.stop();
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasEnded } from '../children.ts';
import { whyNoJars } from '../java.ts';
import { startZooKeeper } from '../kafka/zookeeper.ts';
import { endProgram, startProgram } from '../program.ts';
import { answers, freePorts, until } from '../wait.ts';
import { MISSING_FUNCTIONS, pythonOf, whyNoEngine } from './engine.ts';
import { type ClickHouse, clickHouseAt } from './http.ts';

export const CLUSTER = 'fleet';
export const SHARDS = 2;
const REPLICAS = 2;
const SERVER = join(import.meta.dirname, 'real-server.py');

export interface Node extends ClickHouse {
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
  readonly start: () => Promise<void>;
}

export interface ClickHouseCluster {
  readonly nodes: readonly Node[];
  readonly stop: () => Promise<void>;
}

/** Why no cluster can be run here, in one line; null when one can. */
export const whyNoCluster = (): string | null => whyNoEngine('25.8') ?? whyNoJars('kafka-2.8');

interface Ports {
  readonly http: number;
  readonly tcp: number;
  readonly interserver: number;
}

const shardOf = (index: number): number => 1 + Math.floor(index / REPLICAS);

function configOf(index: number, all: readonly Ports[], zooKeeperPort: number, directory: string): string {
  const shards = Array.from({ length: SHARDS }, (_, shard) => {
    const replicas = all
      .filter((_, other) => shardOf(other) === shard + 1)
      .map(({ tcp }) => `<replica><host>127.0.0.1</host><port>${tcp}</port></replica>`);
    return `<shard><internal_replication>true</internal_replication>${replicas.join('')}</shard>`;
  });
  const { http, tcp, interserver } = all[index] as Ports;
  return `<clickhouse>
  <logger><level>warning</level><log>${directory}/log</log></logger>
  <path>${directory}/data/</path>
  <tmp_path>${directory}/tmp/</tmp_path>
  <!-- This build starts the threads of an engine inside a program: none that sends what waits for another shard, and too few to
       start tables while views refresh (docs/querying.md), for which a server has 512. -->
  <background_schedule_pool_size>64</background_schedule_pool_size>
  <background_distributed_schedule_pool_size>4</background_distributed_schedule_pool_size>
  <listen_host>127.0.0.1</listen_host>
  <http_port>${http}</http_port>
  <tcp_port>${tcp}</tcp_port>
  <interserver_http_host>127.0.0.1</interserver_http_host>
  <interserver_http_port>${interserver}</interserver_http_port>
  <user_directories><users_xml><path>${directory}/config.xml</path></users_xml></user_directories>
  <users><default><password/><networks><ip>127.0.0.1</ip></networks></default></users>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <remote_servers><${CLUSTER}>${shards.join('')}</${CLUSTER}></remote_servers>
  <zookeeper><node><host>127.0.0.1</host><port>${zooKeeperPort}</port></node></zookeeper>
  <distributed_ddl><path>/clickhouse/ddl</path></distributed_ddl>
  <kafka><session_timeout_ms>6000</session_timeout_ms></kafka>
  <macros><shard>${shardOf(index)}</shard><replica>r${index}</replica></macros>
</clickhouse>
`;
}

function createNode(directory: string, { http }: Ports): Node {
  const clickHouse = clickHouseAt(`http://127.0.0.1:${http}/`);
  let child: ChildProcess | null = null;
  return {
    ...clickHouse,
    async start() {
      const started = startProgram({
        words: [pythonOf('25.8'), SERVER, `--config-file=${join(directory, 'config.xml')}`],
        logFile: join(directory, 'output'),
        cwd: directory,
        // Its own parent, which starts it again when it dies, would outlive the test.
        env: { ...process.env, CLICKHOUSE_WATCHDOG_ENABLE: '0' },
      });
      child = started;
      await until(
        async () => hasEnded(started) || (await answers(`${clickHouse.url}ping`)),
        'a ClickHouse server',
      );
      if (hasEnded(started))
        throw new Error(`ClickHouse ended at its start: ${readFileSync(join(directory, 'output'), 'utf8')}`);
      for (const statement of MISSING_FUNCTIONS['25.8']) await clickHouse.query(statement);
    },
    kill: () => endProgram(child, 'SIGKILL'),
  };
}

export async function startCluster(): Promise<ClickHouseCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-clickhouse-cluster-'));
  const zooKeeper = await startZooKeeper(directory);
  const ports = await freePorts(3 * SHARDS * REPLICAS);
  const all = Array.from({ length: SHARDS * REPLICAS }, (_, index): Ports => {
    const [http = 0, tcp = 0, interserver = 0] = ports.slice(3 * index);
    return { http, tcp, interserver };
  });
  const nodes = all.map((own, index) => {
    const place = join(directory, `node${index}`);
    mkdirSync(place);
    writeFileSync(join(place, 'config.xml'), configOf(index, all, zooKeeper.port, place));
    return createNode(place, own);
  });
  const stop = async (): Promise<void> => {
    await Promise.all([...nodes.map((node) => node.kill()), endProgram(zooKeeper.child, 'SIGKILL')]);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await Promise.all(nodes.map((node) => node.start()));
    return { nodes, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
