-- How many hosts were heard of?
SELECT uniqExact(host) AS hosts
FROM host_status
WHERE @time
