-- Every event once, with the names of the peer beside those of the host. 'unknown': no host of the fleet had the address
-- at that time; 'ambiguous': several had.
CREATE VIEW @database.events_named @on_cluster AS
SELECT *, datacenter, rack, role, service, owner, event_id, community_id,
    dictGetOrDefault('@database.peers', 'host', tuple(remote_address), toDateTime(timestamp), 'unknown') AS remote_host,
    dictGetOrDefault('@database.peers', 'datacenter', tuple(remote_address), toDateTime(timestamp), 'unknown') AS remote_datacenter,
    dictGetOrDefault('@database.peers', 'rack', tuple(remote_address), toDateTime(timestamp), 'unknown') AS remote_rack,
    dictGetOrDefault('@database.peers', 'role', tuple(remote_address), toDateTime(timestamp), 'unknown') AS remote_role,
    dictGetOrDefault('@database.peers', 'service', tuple(remote_address), toDateTime(timestamp), 'unknown') AS remote_service,
    dictGetOrDefault('@database.peers', 'owner', tuple(remote_address), toDateTime(timestamp), 'unknown') AS remote_owner
FROM @database.events FINAL
