/** The fields that only `host_status` has, and what becomes of them. */

const KEYWORD = { type: 'keyword', ignore_above: 1024 } as const;
const NUMBER = { type: 'long' } as const;
/** The names of the numbers are the kernel's and the ledger's own: they are mapped when they come. */
const NUMBERS = { type: 'object', dynamic: true } as const;
/** Kept in the document, and not searchable: hosts with containers would fill the mapping with names of interfaces. */
const KEPT = { type: 'object', enabled: false } as const;

export const HOST_STATUS_FIELDS: Readonly<
  Record<string, { readonly path: string; readonly mapping: Readonly<Record<string, unknown>> }>
> = {
  agent_version: { path: 'agent.version', mapping: KEYWORD },
  uptime_s: { path: 'ktc.uptime_s', mapping: NUMBER },
  source_kind: { path: 'ktc.source_kind', mapping: KEYWORD },
  config_hash: { path: 'ktc.config_hash', mapping: KEYWORD },
  addresses: { path: 'host.ip', mapping: { type: 'ip' } },
  counters: { path: 'ktc.counters', mapping: NUMBERS },
  interfaces: { path: 'ktc.interfaces', mapping: KEPT },
  ledger: { path: 'ktc.ledger', mapping: NUMBERS },
  ordinals: { path: 'ktc.ordinals', mapping: KEPT },
};
