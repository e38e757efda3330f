-- Which events have arrived, as bitmaps of their ordinals: a repeat sets a bit that is set already. It outlives the events.
CREATE TABLE @database.seen@local @on_cluster
(
    hour DateTime('UTC'),
    host LowCardinality(String),
    boot_id LowCardinality(String),
    session LowCardinality(String),
    cpu UInt16,
    ordinals AggregateFunction(groupBitmap, UInt64),
    first SimpleAggregateFunction(min, DateTime64(9, 'UTC')),
    last SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = @replicatedAggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, host, boot_id, session, cpu)
TTL hour + INTERVAL @proof_days DAY
SETTINGS ttl_only_drop_parts = 1@storage_settings
