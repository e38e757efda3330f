-- What has to be done to a table that holds data: one statement per line, or a line that begins with REFUSE. The wanted table
-- was made empty in a database of its own, so that the engine itself compares what it has understood. A distributed table
-- has the same columns, and nothing else.
-- apply.sh replaces the words that begin with @.
WITH
    wanted_columns AS (
        SELECT *, lagInFrame(name, 1, '') OVER (
            ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS previous
        FROM system.columns WHERE database = '@wanted_database' AND table = '@wanted_table'),
    existing_columns AS (
        SELECT * FROM system.columns WHERE database = '@database' AND table = '@table'),
    wanted_indices AS (
        SELECT *, lagInFrame(name, 1, '') OVER (
            ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS previous
        FROM (
            SELECT *, rowNumberInAllBlocks() AS place
            FROM system.data_skipping_indices WHERE database = '@wanted_database' AND table = '@wanted_table')),
    existing_indices AS (
        SELECT * FROM system.data_skipping_indices WHERE database = '@database' AND table = '@table'),
    wanted_projections AS (
        SELECT * FROM system.projections WHERE database = '@wanted_database' AND table = '@wanted_table'),
    existing_projections AS (
        SELECT * FROM system.projections WHERE database = '@database' AND table = '@table'),
    wanted_table AS (
        SELECT * FROM system.tables WHERE database = '@wanted_database' AND name = '@wanted_table'),
    existing_table AS (
        SELECT * FROM system.tables WHERE database = '@database' AND name = '@table'),
    concat('ALTER TABLE `', '@database', '`.`', '@table', '` ', $$@on_cluster$$, ' ') AS alter_table,
    statements AS (
        SELECT 0 AS step, 0 AS place, concat('REFUSE ', '@table', ': its ', what, ' is "', is, '" and cannot become "', wanted, '"') AS statement
        FROM (
            SELECT arrayJoin([
                    ('engine', replaceRegexpOne(e.engine, '^Replicated', ''), replaceRegexpOne(w.engine, '^Replicated', '')),
                    ('partition key', e.partition_key, w.partition_key),
                    ('sorting key', e.sorting_key, w.sorting_key),
                    ('primary key', e.primary_key, w.primary_key)]) AS difference,
                difference.1 AS what, difference.2 AS is, difference.3 AS wanted
            FROM existing_table AS e CROSS JOIN wanted_table AS w)
        WHERE is != wanted
        UNION ALL
        SELECT 1, w.position, concat(alter_table, if(e.name = '', 'ADD', 'MODIFY'), ' COLUMN `', w.name, '` ', w.type,
            if(w.default_kind = '', '', concat(' ', w.default_kind, ' ', w.default_expression)),
            if(w.compression_codec = '', '', concat(' ', w.compression_codec)),
            multiIf(e.name != '', '', w.previous = '', ' FIRST', concat(' AFTER `', w.previous, '`')))
        FROM wanted_columns AS w LEFT JOIN existing_columns AS e ON e.name = w.name
        WHERE e.name = '' OR (e.type, e.default_kind, e.default_expression) != (w.type, w.default_kind, w.default_expression)
            OR (e.compression_codec != w.compression_codec AND NOT @is_distributed)
        UNION ALL
        SELECT 2, 0, concat(alter_table, 'DROP INDEX `', e.name, '`')
        FROM existing_indices AS e INNER JOIN wanted_indices AS w ON w.name = e.name
        WHERE (e.expr, e.type_full, e.granularity) != (w.expr, w.type_full, w.granularity)
        UNION ALL
        SELECT 3, w.place, concat(alter_table, 'ADD INDEX `', w.name, '` ', w.expr, ' TYPE ', w.type_full,
            ' GRANULARITY ', toString(w.granularity), if(w.previous = '', ' FIRST', concat(' AFTER `', w.previous, '`')))
        FROM wanted_indices AS w LEFT JOIN existing_indices AS e ON w.name = e.name
        WHERE (e.expr, e.type_full, e.granularity) != (w.expr, w.type_full, w.granularity)
        UNION ALL
        SELECT 4, 0, concat(alter_table, 'MODIFY TTL ', ttl_of(w.engine_full), ' SETTINGS materialize_ttl_after_modify = 0')
        FROM existing_table AS e CROSS JOIN wanted_table AS w
        WHERE ttl_of(e.engine_full) != ttl_of(w.engine_full)
        UNION ALL
        SELECT 5, 0, concat(alter_table, 'MODIFY SETTING ', setting)
        FROM (
            SELECT arrayJoin(splitByString(', ', extract(engine_full, ' SETTINGS (.*)$'))) AS setting
            FROM wanted_table)
        WHERE setting NOT LIKE 'index_granularity %' AND setting NOT IN (
            SELECT arrayJoin(splitByString(', ', extract(engine_full, ' SETTINGS (.*)$'))) FROM existing_table)
        UNION ALL
        SELECT 6, 0, concat(alter_table, 'DROP PROJECTION `', e.name, '`')
        FROM existing_projections AS e INNER JOIN wanted_projections AS w ON w.name = e.name
        WHERE e.query != w.query
        UNION ALL
        SELECT 7, 0, concat(alter_table, 'ADD PROJECTION `', w.name, '` (', w.query, ')')
        FROM wanted_projections AS w LEFT JOIN existing_projections AS e ON w.name = e.name
        WHERE e.query != w.query
    ),
    x -> extract(x, ' TTL (.*?)( SETTINGS |$)') AS ttl_of
SELECT statement
FROM statements
WHERE step = 1 OR NOT @is_distributed
ORDER BY step, place
FORMAT TSVRaw
