-- How many events are missing without an explanation?
@accounts
SELECT sum(unexplained) AS unexplained
FROM accounts
