-- Which versions and configurations run in the fleet?
--
-- Parameters: from, to (UTC).
-- Read: config_hash is of the effective configuration without secrets: hosts of one role should share one. A line with
-- few hosts is a roll-out that has not ended, or a host that was changed by hand.
-- Answer, of the fleet in test/support/fleet-truth:
--   agent_version  source_kind  config_hash       service  kernel                    hosts  example
--   0.0.9          tracepoints  badc0ffee0ddf00d  web      4.18.0-553.el8_10.x86_64  1      web-199.b.example.net
--   0.1.0          tracepoints  0000000000000000  web      4.18.0-553.el8_10.x86_64  3      web-149.a.example.net
--   0.0.9          module       0000000000000000  web      3.10.0-862.el7.x86_64     4      web-119.b.example.net
--   0.1.0          module       1000000000000001  api      4.18.0-553.el8_10.x86_64  4      api-124.a.example.net
--   0.1.0          module       0000000000000004  queue    3.10.0-862.el7.x86_64     10     queue-07.b.example.net
--   … 5 more
SELECT last.1 AS agent_version, last.2 AS source_kind, last.3 AS config_hash, last.4 AS service, last.5 AS kernel,
    count() AS hosts, min(host) AS example
FROM (
    SELECT host, argMax((s.agent_version, s.source_kind, s.config_hash, s.service, s.kernel), s.timestamp) AS last
    FROM host_status AS s
    WHERE timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}
    GROUP BY host)
GROUP BY agent_version, source_kind, config_hash, service, kernel
ORDER BY hosts, agent_version, config_hash, service, kernel
