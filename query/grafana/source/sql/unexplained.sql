-- How many events are missing without an explanation?
SELECT sum(unexplained) AS unexplained
FROM @answer(20-proof)
