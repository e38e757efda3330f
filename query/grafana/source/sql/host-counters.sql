-- Which counters of the kernel have grown?
SELECT counter, sum(growth) AS grown
FROM (
    SELECT boot_id, pair.1 AS counter, max(pair.2) - min(pair.2) AS growth
    FROM (SELECT boot_id, arrayJoin(counters) AS pair FROM host_status FINAL WHERE @time)
    GROUP BY boot_id, counter)
GROUP BY counter
HAVING grown > 0
ORDER BY grown DESC, counter
