-- How many events are missing without an explanation? Nothing is known where no agent has told its account.
SELECT if(count() = 0, NULL, sum(unexplained)) AS unexplained
FROM @answer(20-proof)
