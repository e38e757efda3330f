/** The fields of `host_status` behind the common ones, a part of the table of fields (fields.ts). */
import type { Field } from './field.ts';

const STATUS = ['host_status'] as const;

export const HOST_STATUS_FIELDS = [
  {
    name: 'netns',
    on: STATUS,
    type: 'number',
    isNullable: true,
    from: { status: ({ report }) => report.netns },
    description:
      'Inode of the network namespace of the agent, which addresses, counters and interfaces are of; null where it cannot be read.',
    note: 'As in the events of TCP, which come from all namespaces.',
  },
  {
    name: 'agent_version',
    on: STATUS,
    type: 'text',
    from: { status: ({ agent }) => agent.version },
    ecs: 'agent.version',
    note: 'What `ktc --version` says.',
  },
  {
    name: 'uptime_s',
    on: STATUS,
    type: 'count',
    unit: 's',
    from: { status: ({ uptimeSeconds }) => uptimeSeconds },
    description: 'Whole seconds since this trace session began.',
  },
  {
    name: 'source_kind',
    on: STATUS,
    type: 'source_kind',
    from: { status: ({ agent }) => agent.sourceKind },
    note: 'Where the records come from: tcp_trace.ko, the native tracepoints, or a recording.',
  },
  {
    name: 'config_hash',
    on: STATUS,
    type: 'config_hash',
    from: { status: ({ agent }) => agent.configHash },
    description: 'Of the configuration in effect, as ktc config show prints it. Secrets are not part of it.',
  },
  {
    name: 'addresses',
    on: STATUS,
    type: 'addresses',
    from: { status: ({ report }) => report.addresses },
    otlp: { attribute: 'host.ip' },
    ecs: 'host.ip',
    description:
      'All unicast addresses of the host, RFC 5952 text, without loopback and IPv6 link-local; 512 at most.',
    note: "Joins the `remote_address` of another host's events to this host and its labels.",
  },
  {
    name: 'counters',
    on: STATUS,
    type: 'kernel_counters',
    from: { status: ({ report }) => report.counters },
    description:
      "The kernel's own counters since the boot, as in nstat, of the network namespace of the agent. A counter that this kernel has not got is absent.",
  },
  {
    name: 'interfaces',
    on: STATUS,
    type: 'interface_counters',
    from: { status: ({ report }) => report.interfaces },
    description:
      'Packets, errors and drops by interface, without lo; 128 interfaces at most, those of hardware first.',
  },
  {
    name: 'ledger',
    on: STATUS,
    type: 'account',
    from: { status: ({ ledger }) => ledger },
    description:
      'The account of the agent before this event: its equations hold within it. A reason that was never counted is absent, and in a replay the sinks are.',
  },
  {
    name: 'ordinals',
    on: STATUS,
    type: 'counts_by_cpu',
    from: { status: ({ ordinals }) => ordinals },
    description:
      'By CPU: how many events this trace session has emitted before this one. A CPU without events is absent.',
    note: 'Their sum is `ledger.emitted`.',
  },
] as const satisfies readonly Field[];
