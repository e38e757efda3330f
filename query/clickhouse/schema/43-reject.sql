CREATE MATERIALIZED VIEW @database.reject @on_cluster TO @database.rejected AS
SELECT reason, host, line, topic, partition, offset
FROM @database.parsed
WHERE reason != ''
