-- How many events of the fleet are missing in all?
SELECT sum(emitted) AS emitted, sum(arrived) AS arrived, sum(missing) AS missing,
    sum(arraySum(mapValues(given_up))) AS given_up, sum(unexplained) AS unexplained
FROM @answer(20-proof)
HAVING count() > 0
