CREATE MATERIALIZED VIEW @database.see_status @on_cluster TO @database.seen@local AS
SELECT toStartOfHour(timestamp) AS hour, host, boot_id, session, cpu,
    groupBitmapState(ordinal) AS ordinals,
    min(timestamp) AS first,
    max(timestamp) AS last
FROM @database.host_status@local
GROUP BY hour, host, boot_id, session, cpu
