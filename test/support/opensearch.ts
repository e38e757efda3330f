/** A real OpenSearch node for tests, with its own data and port. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { javaOptions, librariesOf, startJava, whyNoJars } from './java.ts';
import { endProgram } from './program.ts';
import { answers, freePorts } from './wait.ts';

const HEAP_MIB = 768;
const PROGRAM = join(import.meta.dirname, 'opensearch/Node.java');

/** Why no OpenSearch can be run here, in one line; null when one can. */
export function whyNoOpenSearch(): string | null {
  for (const command of ['javac', 'setpriv']) {
    if (spawnSync('which', [command]).status !== 0) {
      return `${command} is not installed: run scripts/install-test-dependencies.sh`;
    }
  }
  return whyNoJars('opensearch');
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface BulkResult {
  /** How many documents got each status: 201 made, 200 written again, 409 there already. */
  readonly byStatus: Readonly<Record<string, number>>;
}

export interface OpenSearch {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** `body` is sent as JSON. */
  request(method: string, path: string, body?: unknown): Promise<Answer>;
  /** The answer to a search, which must be good. */
  search(index: string, body: unknown): Promise<SearchAnswer>;
  /** How many documents an index pattern has. */
  count(index: string, query?: object): Promise<number>;
  /** Stores documents by the bulk API; `action` is what each line says before its document. */
  bulk(index: string, action: object, documents: readonly string[]): Promise<BulkResult>;
  stop(): Promise<void>;
}

export interface SearchAnswer {
  readonly hits: {
    readonly total: { readonly value: number };
    readonly hits: readonly { readonly _id: string; readonly _index: string; readonly _source: unknown }[];
  };
  readonly aggregations?: unknown;
}

const BULK_DOCUMENTS = 2000;

/** Starts a node on a free port and resolves when it answers. */
export async function startOpenSearch(): Promise<OpenSearch> {
  const [port = 0] = await freePorts(1);
  const directory = mkdtempSync(join(tmpdir(), 'ktc-opensearch-'));
  const url = `http://127.0.0.1:${port}`;
  const { child, up } = startJava({
    name: 'OpenSearch',
    args: [...javaOptions(librariesOf('opensearch'), HEAP_MIB), PROGRAM, directory, String(port)],
    logFile: join(directory, 'node.log'),
    isUp: () => answers(url),
  });

  const send = async (method: string, path: string, body?: string): Promise<Answer> => {
    const answer = await fetch(`${url}/${path}`, {
      method,
      ...(body !== undefined && { body, headers: { 'content-type': 'application/x-ndjson' } }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
  };

  const good = async (method: string, path: string, body?: string): Promise<unknown> => {
    const answer = await send(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };

  const stop = async () => {
    await endProgram(child, 'SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };

  try {
    await up;
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    url,
    stop,
    request: (method, path, body) =>
      send(method, path, body === undefined ? undefined : JSON.stringify(body)),
    search: async (index, body) =>
      (await good('POST', `${index}/_search`, JSON.stringify(body))) as SearchAnswer,
    async count(index, query) {
      await good('POST', `${index}/_refresh`);
      const body = query === undefined ? undefined : JSON.stringify({ query });
      return ((await good('POST', `${index}/_count`, body)) as { count: number }).count;
    },
    async bulk(index, action, documents) {
      const byStatus: Record<string, number> = {};
      const start = JSON.stringify(action);
      for (let at = 0; at < documents.length; at += BULK_DOCUMENTS) {
        const lines = documents.slice(at, at + BULK_DOCUMENTS).flatMap((document) => [start, document]);
        const answer = (await good('POST', `${index}/_bulk`, `${lines.join('\n')}\n`)) as {
          items: Record<string, { status: number }>[];
        };
        for (const { status } of answer.items.flatMap((item) => Object.values(item)))
          byStatus[status] = (byStatus[status] ?? 0) + 1;
      }
      await good('POST', '_refresh');
      return { byStatus };
    },
  };
}
