-- Takes rejected lines again, after the reason is gone: a schema that knows new events, a longer TTL.
--
-- Parameters: reason; until, the moment before these statements are run.
-- What is rejected again stays, with the new time of receipt; the rest is removed from `rejected`. On a cluster the second
-- statement is about `rejected_local`, with ON CLUSTER.
INSERT INTO lines (line)
SELECT line
FROM rejected FINAL
WHERE reason = {reason:String} AND received_at <= {until:DateTime64(3, 'UTC')};

DELETE FROM rejected
WHERE reason = {reason:String} AND received_at <= {until:DateTime64(3, 'UTC')};
