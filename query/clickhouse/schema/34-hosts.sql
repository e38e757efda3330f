-- The fleet: what each host said last.
CREATE VIEW @database.hosts @on_cluster AS
SELECT host,
    argMax(s.datacenter, s.timestamp) AS datacenter,
    argMax(s.rack, s.timestamp) AS rack,
    argMax(s.role, s.timestamp) AS role,
    argMax(s.service, s.timestamp) AS service,
    argMax(s.owner, s.timestamp) AS owner,
    argMax(s.kernel, s.timestamp) AS kernel,
    argMax(s.agent_version, s.timestamp) AS agent_version,
    argMax(s.source_kind, s.timestamp) AS source_kind,
    argMax(s.config_hash, s.timestamp) AS config_hash,
    argMax(s.boot_id, s.timestamp) AS boot_id,
    argMax(s.session, s.timestamp) AS session,
    max(s.timestamp) AS last_status
FROM @database.host_status AS s
GROUP BY host
