-- Lines that are no valid event, with the reason. A line that comes again replaces itself. They can be replayed:
-- ../replay-rejected.sql.
CREATE TABLE @database.rejected@local @on_cluster
(
    received_at DateTime64(3, 'UTC') DEFAULT now64(3),
    reason LowCardinality(String),
    host String,
    line String CODEC(ZSTD(3)),
    line_hash UInt128 DEFAULT reinterpretAsUInt128(sipHash128(line)),
    topic LowCardinality(String),
    partition UInt64,
    offset UInt64
)
ENGINE = @replicatedReplacingMergeTree(received_at)
ORDER BY (reason, line_hash)
TTL toDateTime(received_at) + INTERVAL @ttl_days DAY
SETTINGS index_granularity = 1024@storage_settings
