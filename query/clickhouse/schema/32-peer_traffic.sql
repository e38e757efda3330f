-- Sums of five minutes per host and peer: of each bucket the last run, so that what is gone from the events is gone here.
CREATE VIEW @database.peer_traffic @on_cluster AS
SELECT *
FROM @database.peer_traffic_runs FINAL
WHERE (bucket, computed_at) IN (SELECT bucket, max(computed_at) FROM @database.peer_traffic_runs GROUP BY bucket)
