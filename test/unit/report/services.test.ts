import { describe, expect, it } from 'vitest';
import { summaryOf } from '../../../src/report/summary.ts';
import { createTestAgent } from './events.ts';
import { reportOf } from './make.ts';

const PORT = 443;

/** A connection from a client to each server, as both ends tell it: the servers are in these racks and run these units. */
async function servicesOf(
  servers: readonly { readonly rack: string; readonly unit: string | null; readonly service?: string }[],
): Promise<unknown[]> {
  const client = createTestAgent({ name: 'client', address: '10.0.0.1', labels: { service: 'batch' } });
  const lines = [client.status(0)];
  servers.forEach(({ rack, unit, service }, index) => {
    const address = `10.0.1.${index + 1}`;
    const labels = { rack, ...(service !== undefined && { service }) };
    const server = createTestAgent({ name: `server${index}`, address, labels });
    const passive = { direction: 'passive', local_port: PORT, remote_port: 40_000, comm: 'nginx', unit };
    lines.push(server.status(0), client.life(1, address, { remote_port: PORT }));
    lines.push(server.life(1, '10.0.0.1', passive), server.status(60));
  });
  lines.push(client.status(60));
  const { services } = summaryOf(await reportOf(lines));
  return services.map(({ service, port, closed }) => `${service}:${port} ${closed}`).sort();
}

describe('a service is called by', () => {
  it('the label of its hosts, whatever their units are', async () => {
    expect(await servicesOf([{ rack: 'r1', unit: 'nginx.service', service: 'web' }])).toEqual(['web:443 2']);
  });

  it('the systemd unit where hosts have no label, at both ends', async () => {
    expect(await servicesOf([{ rack: 'r1', unit: 'nginx.service' }])).toEqual(['nginx.service:443 2']);
    expect(
      await servicesOf([
        { rack: 'r1', unit: 'nginx.service' },
        { rack: 'r2', unit: 'haproxy.service' },
      ]),
    ).toEqual(['haproxy.service:443 2', 'nginx.service:443 2']);
  });

  it('the unit at its own end only, where hosts of the same labels run different ones on the port', async () => {
    expect(
      await servicesOf([
        { rack: 'r1', unit: 'nginx.service' },
        { rack: 'r1', unit: 'haproxy.service' },
      ]),
    ).toEqual(['haproxy.service:443 1', 'nginx.service:443 1', 'null:443 2']);
  });

  it('its port alone where nothing is known', async () => {
    expect(await servicesOf([{ rack: 'r1', unit: null }])).toEqual(['null:443 2']);
  });
});
