-- Sums of one minute per service and rack, computed again whenever events of that time arrive: each run is there as a whole.
-- Read the view `service_traffic`, which shows the last run of each bucket.
CREATE TABLE @database.service_traffic_runs@local @on_cluster
(
    bucket DateTime('UTC'),
    computed_at DateTime64(6, 'UTC'),
    datacenter LowCardinality(String),
    rack LowCardinality(String),
    role LowCardinality(String),
    service LowCardinality(String),
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
    latency_us_state AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64),
    -- What is asked of all runs, every minute and by every question, is then a few rows for each bucket.
    PROJECTION last_runs (SELECT bucket, max(computed_at) GROUP BY bucket)
)
ENGINE = @replicatedReplacingMergeTree(computed_at)
PARTITION BY toYYYYMM(bucket)
ORDER BY (bucket, datacenter, rack, role, service)
TTL bucket + INTERVAL @proof_days DAY
SETTINGS ttl_only_drop_parts = 1, deduplicate_merge_projection_mode = 'rebuild'@storage_settings
