/** docs/scale.md: what large fleets need, from what bench/fleet.ts has measured. */
import { figure, type Table, tableText } from '../report.ts';
import { bytes, type FleetFigures, whole } from './figures.ts';
import { ASSUMED, sumsOf } from './sums.ts';

const FLEETS = [10_000, 100_000] as const;

export function measuredTable(measured: FleetFigures): Table {
  const { hosts, events, seconds: duration, emitted } = measured;
  const per = (cpu: number) => `${figure((cpu * 1e6) / events)} µs per event`;
  return {
    title: 'What was measured',
    script: 'bench/fleet.ts',
    columns: ['what', 'measured'],
    rows: [
      ['agents', whole(hosts)],
      ['events per second, acknowledged by all replicas', whole(events / duration)],
      ['round of each agent', `${measured.lingerMs / 1000} s`],
      ['CPU of the agents', per(measured.agentCpuSeconds)],
      ['memory of an agent, beside the program itself', bytes(measured.agentBytes)],
      ['connections of an agent', figure(measured.connections / hosts)],
      ['CPU of the brokers', per(measured.brokerCpuSeconds)],
      [
        'memory of the brokers, before and with the agents',
        `${bytes(measured.brokerBytesIdle)}, ${bytes(measured.brokerBytes)}`,
      ],
      ['log of one replica', `${figure(measured.logBytesPerEvent)} bytes per event`],
      ['events in all, one broker killed and started again', whole(emitted)],
      ['of these missing, and more than once', `${whole(measured.missing)}, ${whole(measured.repeated)}`],
    ],
    notes: [
      'The agents are simulated, many to a process: their pipeline and their Kafka client are those of `ktc run`, and their records are those of a recording, with a host id and an address of each. `kcat` counted what had arrived, by `event_id`. Agents and brokers shared this machine, so the CPU of the brokers is that of a busy machine with the quick compiler only: an upper bound.',
    ],
  };
}

/** The whole page. `where` is the machine. */
export function scalePage(measured: FleetFigures, where: string): string {
  const table = tableText({
    title: 'What a fleet needs',
    script: 'bench/fleet/sums.ts',
    columns: ['what', 'how', ...FLEETS.map((hosts) => `${whole(hosts)} hosts`), 'what lowers it'],
    rows: sumsOf(measured).map(({ what, how, of, knob }) => [what, how, ...FLEETS.map(of), knob]),
    notes: [
      `An outgoing connection makes eight events (five changes of state, connect, latency, life), an incoming one seven. ${ASSUMED.eventsPerHost} events per second are a bit more than one connection per second, day and night. Count your own: the rate of \`ktc_events_emitted_total\` of a few hosts.`,
      'Nothing is central but Kafka and the database: a host needs nothing of another host, and the controller only while it changes something.',
    ],
  });
  return `# Scale

<!-- Written by \`node bench/run.ts fleet\` (bench/fleet/scale-page.ts): do not edit. -->

This page computes what 10,000 and 100,000 hosts need, from what was measured with ${whole(measured.hosts)} agents and three brokers. Read it
before you size Kafka, the database and the controllers. Each sum shows the number it comes from; put your own in its place.

${where}

${tableText(measuredTable(measured))}
${table}
## Before the first wave

- Create the topic with its final number of partitions and \`min.insync.replicas=2\` ([Kafka](kafka.md)).
- Raise \`batch.linger_ms\` for hosts that make few events: events wait in the kernel, and an agent that is killed loses none of them.
- Let each host fetch the tarball from a mirror near it as \`/var/tmp/ktc-agent-VERSION.tar.gz\`, before the roll-out and by whatever
  tool you have: the role copies nothing that is there already ([fleet](fleet.md)).
- Set \`limits\`, so that a host that goes wild stays within them ([pipeline](pipeline.md#overload)).

\`\`\`sh
ktc config check --config "$KTC/config/agent.json" --set batch.linger_ms=2000 --set limits.burst_s=10
\`\`\`
`;
}
