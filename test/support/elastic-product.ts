/** Stands before an OpenSearch node and says, as Elasticsearch does, what it is: Elastic's clients refuse to talk to others. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ElasticProduct {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  stop(): Promise<void>;
}

/** Passes everything on to the node at `nodeUrl`. */
export async function startElasticProduct(nodeUrl: string): Promise<ElasticProduct> {
  const server = createServer((incoming, answer) => {
    const onward = request(new URL(incoming.url ?? '/', nodeUrl), {
      method: incoming.method,
      headers: incoming.headers,
    });
    onward.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 502, {
        ...response.headers,
        'x-elastic-product': 'Elasticsearch',
      });
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    incoming.pipe(onward);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
