-- How many events of the fleet are missing in all?
@accounts
SELECT sum(emitted) AS emitted, sum(arrived) AS arrived, sum(missing) AS missing, sum(given_up) AS given_up,
    sum(unexplained) AS unexplained
FROM accounts
