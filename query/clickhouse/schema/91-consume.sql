-- The alias keeps ClickHouse 25 from taking the comment that follows for one.
CREATE MATERIALIZED VIEW @database.consume @on_cluster TO @database.lines AS
SELECT line, _topic AS topic, _partition AS partition, _offset AS offset
FROM @database.queue AS message
