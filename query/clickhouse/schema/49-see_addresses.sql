CREATE MATERIALIZED VIEW @database.see_addresses @on_cluster TO @database.address_sightings@local AS
SELECT toStartOfHour(timestamp) AS hour, arrayJoin(addresses) AS address, host, datacenter, rack, role, service, owner,
    min(toDateTime(timestamp)) AS first,
    max(toDateTime(timestamp)) AS last
FROM @database.host_status@local
GROUP BY hour, address, host, datacenter, rack, role, service, owner
