-- How large is the dictionary of addresses, and is it up to date?
SELECT toString(status) AS state, element_count AS entries, bytes_allocated AS bytes, last_successful_update_time AS updated
FROM system.dictionaries
WHERE database = currentDatabase() AND name = 'peers'
