-- Who had which address, by the hour: from host_status. The dictionary `peers` is made of it.
CREATE TABLE @database.address_sightings@local @on_cluster
(
    hour DateTime('UTC'),
    address IPv6,
    host LowCardinality(String),
    datacenter LowCardinality(String),
    rack LowCardinality(String),
    role LowCardinality(String),
    service LowCardinality(String),
    owner LowCardinality(String),
    first SimpleAggregateFunction(min, DateTime('UTC')),
    last SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = @replicatedAggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, address, host, datacenter, rack, role, service, owner)
TTL hour + INTERVAL @ttl_days DAY
SETTINGS ttl_only_drop_parts = 1@storage_settings
