-- What hosts and agents say about themselves once a minute, every event once: counters of the kernel, the agent's account,
-- and how many events it has emitted per CPU. It is kept as long as `seen`, because the proof needs both.
CREATE TABLE @database.host_status@local @on_cluster
(
    timestamp DateTime64(9, 'UTC') CODEC(T64('bit'), ZSTD(1)),
    host LowCardinality(String),
    host_id LowCardinality(String),
    boot_id LowCardinality(String),
    kernel LowCardinality(String),
    session LowCardinality(String),
    cpu UInt16,
    ordinal UInt64 CODEC(Delta(8), ZSTD(1)),
    labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    datacenter LowCardinality(String) MATERIALIZED labels['datacenter'],
    rack LowCardinality(String) MATERIALIZED labels['rack'],
    role LowCardinality(String) MATERIALIZED labels['role'],
    service LowCardinality(String) MATERIALIZED labels['service'],
    owner LowCardinality(String) MATERIALIZED labels['owner'],
    netns Nullable(UInt64) CODEC(T64, ZSTD(1)),
    agent_version LowCardinality(String),
    uptime_s UInt64 CODEC(T64, ZSTD(1)),
    source_kind LowCardinality(String),
    config_hash LowCardinality(String),
    addresses Array(IPv6) CODEC(ZSTD(1)),
    counters Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    interfaces Map(LowCardinality(String), Map(LowCardinality(String), UInt64)) CODEC(ZSTD(1)),
    ledger Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    ordinals Map(UInt16, UInt64) CODEC(ZSTD(1)),
    inserted_at DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),
    event_id String ALIAS concat(boot_id, '-', session, '-', toString(cpu), '-', toString(ordinal))
)
ENGINE = @replicatedReplacingMergeTree
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY (toStartOfHour(timestamp), host)
ORDER BY (toStartOfHour(timestamp), host, boot_id, session, cpu, ordinal)
TTL toDateTime(timestamp) + INTERVAL @proof_days DAY
SETTINGS ttl_only_drop_parts = 1@storage_settings
