-- Sums of one minute per service and rack: of each bucket the last run, so that what is gone from the events is gone here.
CREATE VIEW @database.service_traffic @on_cluster AS
SELECT *
FROM @database.service_traffic_runs FINAL
WHERE (bucket, computed_at) IN (SELECT bucket, max(computed_at) FROM @database.service_traffic_runs GROUP BY bucket)
