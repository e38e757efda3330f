-- Which hosts are there?
SELECT host
FROM hosts
ORDER BY host
