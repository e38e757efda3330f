/** Index templates and lifecycle policies, for Elasticsearch and for OpenSearch. */
import { DOCUMENT, propertiesOf } from './document.ts';

export type Engine = 'elasticsearch' | 'opensearch';

/** Above the templates that Elasticsearch and the Beats bring. */
const PRIORITY = { daily: 300, stream: 400 } as const;
/** Of the ledger's and the kernel's numbers there are some hundred; the default limit is 1,000 fields. */
const MAX_FIELDS = 2000;
const FORCE_MERGE_AFTER = '2d';

/** OpenSearch attaches its policies by themselves, and refuses the setting. */
function lifecycleSettings(engine: Engine, policy: string): Record<string, unknown> {
  if (engine === 'opensearch') return {};
  // The age of an index is that of its day, not that of its making.
  return {
    'index.lifecycle.name': policy,
    ...(policy === 'ktc-events' && { 'index.lifecycle.parse_origination_date': true }),
  };
}

/** What daily indices and the data stream have in common. */
export function componentTemplate(): object {
  return {
    template: {
      settings: {
        'index.codec': 'best_compression',
        'index.refresh_interval': '10s',
        'index.mapping.total_fields.limit': MAX_FIELDS,
        // A value of the wrong type is left out of the index (`_ignored` names it), and the event stays.
        'index.mapping.ignore_malformed': true,
        'index.number_of_shards': 1,
        'index.auto_expand_replicas': '0-1',
      },
      mappings: {
        // What a newer agent adds is kept, and searchable after the next update of this template.
        dynamic: false,
        date_detection: false,
        dynamic_templates: [
          { numbers: { path_match: 'ktc.*', match_mapping_type: 'long', mapping: { type: 'long' } } },
        ],
        properties: propertiesOf(DOCUMENT),
      },
    },
  };
}

/**
 * The name that every writer uses. Its pipeline sends each event on to the index of its day, so there need not be such an
 * index; where a writer insists on making one (Kafka Connect), it stays empty.
 */
export function entryTemplate(): object {
  return {
    index_patterns: ['ktc-events'],
    priority: PRIORITY.daily,
    composed_of: ['ktc-events'],
    template: { settings: { 'index.default_pipeline': 'ktc-events' } },
  };
}

/** `ktc-events-2026.11.29` */
export function dailyTemplate(engine: Engine): object {
  return {
    index_patterns: ['ktc-events-*'],
    priority: PRIORITY.daily,
    composed_of: ['ktc-events'],
    template: {
      settings: { 'index.default_pipeline': 'ktc-events', ...lifecycleSettings(engine, 'ktc-events') },
    },
  };
}

/** The variant: after each rollover the same event can be stored once more. */
export function streamTemplate(engine: Engine): object {
  return {
    index_patterns: ['ktc-events-stream*'],
    priority: PRIORITY.stream,
    composed_of: ['ktc-events'],
    data_stream: {},
    template: {
      settings: {
        'index.default_pipeline': 'ktc-events-stream',
        ...lifecycleSettings(engine, 'ktc-events-stream'),
      },
    },
  };
}

/** Nothing of a rejected document is mapped but the reason: it may be anything. */
export function rejectedTemplate(engine: Engine): object {
  return {
    index_patterns: ['ktc-rejected-*'],
    priority: PRIORITY.daily,
    template: {
      settings: {
        'index.auto_expand_replicas': '0-1',
        ...lifecycleSettings(engine, 'ktc-rejected'),
      },
      mappings: {
        dynamic: false,
        properties: {
          rejected_at: { type: 'date' },
          error: { properties: { message: { type: 'keyword', ignore_above: 1024 } } },
        },
      },
    },
  };
}

const forceMerge = { max_num_segments: 1 };
const rollover = {
  ilm: { max_age: '1d', max_primary_shard_size: '50gb' },
  ism: { min_index_age: '1d', min_primary_shard_size: '50gb' },
};

/** Elasticsearch's index lifecycle management. */
export function ilmPolicy(retentionDays: number, kind: 'daily' | 'stream' | 'rejected'): object {
  return {
    policy: {
      phases: {
        hot: { actions: kind === 'stream' ? { rollover: rollover.ilm } : {} },
        ...(kind !== 'rejected' && {
          warm: { min_age: FORCE_MERGE_AFTER, actions: { forcemerge: forceMerge } },
        }),
        delete: { min_age: `${retentionDays}d`, actions: { delete: {} } },
      },
    },
  };
}

/** OpenSearch's index state management: the policy names the indices it is for. */
export function ismPolicy(retentionDays: number, kind: 'daily' | 'stream' | 'rejected'): object {
  const patterns = {
    daily: 'ktc-events-*',
    stream: 'ktc-events-stream*',
    rejected: 'ktc-rejected-*',
  } as const;
  const isMerged = kind !== 'rejected';
  const afterDays = (state: string, age: string) => ({
    state_name: state,
    conditions: { min_index_age: age },
  });
  return {
    policy: {
      description: 'Indices of the KTC agent',
      default_state: 'hot',
      ism_template: [
        { index_patterns: [patterns[kind]], priority: PRIORITY[kind === 'stream' ? 'stream' : 'daily'] },
      ],
      states: [
        {
          name: 'hot',
          actions: kind === 'stream' ? [{ rollover: rollover.ism }] : [],
          transitions: [
            isMerged ? afterDays('warm', FORCE_MERGE_AFTER) : afterDays('delete', `${retentionDays}d`),
          ],
        },
        ...(isMerged
          ? [
              {
                name: 'warm',
                actions: [{ force_merge: forceMerge }],
                transitions: [afterDays('delete', `${retentionDays}d`)],
              },
            ]
          : []),
        { name: 'delete', actions: [{ delete: {} }], transitions: [] },
      ],
    },
  };
}
