-- Is anything missing between the agents and these tables? Events that an agent emitted between its first and last
-- host_status of the time, those that are here, those that it has given up itself, and those that nobody can explain.
@accounts
SELECT host, emitted, arrived, missing, given_up, unexplained
FROM accounts
ORDER BY unexplained DESC, missing DESC, host
LIMIT 100
