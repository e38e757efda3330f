CREATE MATERIALIZED VIEW @database.accept_status @on_cluster TO @database.host_status AS
WITH JSONExtract(line, 'Tuple(
    agent_version String,
    uptime_s UInt64,
    source_kind String,
    config_hash String,
    addresses Array(String),
    counters Map(String, UInt64),
    interfaces Map(String, Map(String, UInt64)),
    ledger Map(String, UInt64),
    ordinals Map(String, UInt64))') AS s
SELECT timestamp, host, host_id, boot_id, kernel, session, cpu, ordinal, labels, netns,
    s.agent_version AS agent_version,
    s.uptime_s AS uptime_s,
    s.source_kind AS source_kind,
    s.config_hash AS config_hash,
    arrayMap(a -> assumeNotNull(a), arrayFilter(a -> a IS NOT NULL, arrayMap(a -> toIPv6OrNull(a), s.addresses))) AS addresses,
    CAST(s.counters, 'Map(LowCardinality(String), UInt64)') AS counters,
    CAST(s.interfaces, 'Map(LowCardinality(String), Map(LowCardinality(String), UInt64))') AS interfaces,
    CAST(s.ledger, 'Map(LowCardinality(String), UInt64)') AS ledger,
    mapFromArrays(arrayMap(c -> toUInt16OrZero(c), mapKeys(s.ordinals)), mapValues(s.ordinals)) AS ordinals
FROM @database.parsed
WHERE reason = '' AND event = 'host_status'
