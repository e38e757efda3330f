-- Which agents run in the fleet?
SELECT agent_version AS version, config_hash AS configuration, source_kind AS source, kernel,
    uniqExact(host) AS hosts, max(timestamp) AS last_heard
FROM host_status
WHERE @time AND @labels
GROUP BY version, configuration, source, kernel
ORDER BY hosts, version, configuration, source, kernel
LIMIT 100
