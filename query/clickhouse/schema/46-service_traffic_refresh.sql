-- Computes the buckets anew in which events have arrived since the last run: repeats change nothing, late events count.
CREATE MATERIALIZED VIEW @database.service_traffic_refresh @on_cluster
REFRESH EVERY 1 MINUTE APPEND TO @database.service_traffic_runs AS
-- A query about a query: else each shard of a cluster would sum up its own events, at a moment of its own.
SELECT *, now64(6) AS computed_at
FROM (
    SELECT
        toStartOfMinute(e.timestamp) AS bucket,
        datacenter, rack, role, service,
        countIf(event = 'tcp_connect') AS connects,
        countIf(event = 'tcp_accept') AS accepts,
        countIf(event = 'tcp_life') AS lives,
        countIf(event = 'tcp_reset' AND reset_direction = 'sent') AS resets_sent,
        countIf(event = 'tcp_reset' AND reset_direction = 'received') AS resets_received,
        countIf(event = 'tcp_retransmit') + sum(ifNull(e.retransmits_suppressed, 0)) AS retransmits,
        countIf(event = 'tcp_retransmit' AND retransmit_kind = 'syn') AS retransmits_syn,
        sumIf(ifNull(e.bytes_sent, 0), event = 'tcp_life') AS bytes_sent,
        sumIf(ifNull(e.bytes_received, 0), event = 'tcp_life') AS bytes_received,
        sumIf(ifNull(e.segments_sent, 0), event = 'tcp_life') AS segments_sent,
        sumIf(ifNull(e.segments_received, 0), event = 'tcp_life') AS segments_received,
        countIf(e.latency_us IS NOT NULL) AS latencies,
        sum(ifNull(e.latency_us, 0)) AS latency_us_sum,
        max(ifNull(e.latency_us, 0)) AS latency_us_max,
        quantilesTDigestStateIf(0.5, 0.95, 0.99)(ifNull(e.latency_us, 0), e.latency_us IS NOT NULL) AS latency_us_state
    FROM @database.events AS e FINAL
    WHERE toStartOfMinute(e.timestamp) GLOBAL IN (
        SELECT toStartOfMinute(timestamp)
        FROM @database.events
        -- A row may be committed some time after it was stamped.
        WHERE inserted_at >= (SELECT max(computed_at) FROM @database.service_traffic_runs) - INTERVAL 5 MINUTE)
    GROUP BY bucket, datacenter, rack, role, service) AS sums
