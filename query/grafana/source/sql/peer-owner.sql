-- Whose address was it, and when?
SELECT host, rack, service, valid_from AS first, valid_until AS last
FROM address_owners
WHERE address = toIPv6(${peer:singlequote})
    AND valid_until >= fromUnixTimestamp64Milli(toInt64(${__from})) AND valid_from < fromUnixTimestamp64Milli(toInt64(${__to}))
ORDER BY first
LIMIT 100
