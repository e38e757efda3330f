-- Do its network interfaces count errors or drops?
SELECT interface, counter, max(value) - min(value) AS growth
FROM (
    SELECT boot_id, arrayJoin(interfaces) AS pair, pair.1 AS interface, arrayJoin(pair.2) AS number,
        number.1 AS counter, number.2 AS value
    FROM host_status FINAL
    WHERE @time AND host = ${host:singlequote})
WHERE match(counter, 'err|drop')
GROUP BY interface, counter
ORDER BY growth DESC, interface, counter
LIMIT 100
