-- Sums of five minutes per host and peer, computed again whenever events of that time arrive: each run is there as a whole.
-- Read the view `peer_traffic`, which shows the last run of each bucket.
CREATE TABLE @database.peer_traffic_runs@local @on_cluster
(
    bucket DateTime('UTC'),
    computed_at DateTime64(6, 'UTC'),
    host LowCardinality(String),
    datacenter LowCardinality(String),
    rack LowCardinality(String),
    role LowCardinality(String),
    service LowCardinality(String),
    remote_address IPv6,
    connects UInt64 CODEC(T64, ZSTD(1)),
    accepts UInt64 CODEC(T64, ZSTD(1)),
    lives UInt64 CODEC(T64, ZSTD(1)),
    resets_sent UInt64 CODEC(T64, ZSTD(1)),
    resets_received UInt64 CODEC(T64, ZSTD(1)),
    retransmits UInt64 CODEC(T64, ZSTD(1)),
    retransmits_syn UInt64 CODEC(T64, ZSTD(1)),
    bytes_sent UInt64 CODEC(T64, ZSTD(1)),
    bytes_received UInt64 CODEC(T64, ZSTD(1)),
    segments_sent UInt64 CODEC(T64, ZSTD(1)),
    segments_received UInt64 CODEC(T64, ZSTD(1)),
    latencies UInt64 CODEC(T64, ZSTD(1)),
    latency_us_sum UInt64 CODEC(T64, ZSTD(1)),
    latency_us_max UInt64 CODEC(T64, ZSTD(1)),
    -- What is asked of all runs, every minute and by every question, is then a few rows for each bucket.
    PROJECTION last_runs (SELECT bucket, max(computed_at) GROUP BY bucket)
)
ENGINE = @replicatedReplacingMergeTree(computed_at)
PARTITION BY toYYYYMM(bucket)
ORDER BY (bucket, host, datacenter, rack, role, service, remote_address)
TTL bucket + INTERVAL @proof_days DAY
SETTINGS ttl_only_drop_parts = 1, deduplicate_merge_projection_mode = 'rebuild'@storage_settings
