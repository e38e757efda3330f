-- The way in, whatever the source: one event per line. Nothing is stored here; `parse` reads it. Without `parse` a line
-- would vanish, so an INSERT fails until it is there.
CREATE TABLE @database.lines @on_cluster
(
    line String,
    topic LowCardinality(String),
    partition UInt64,
    offset UInt64,
    CONSTRAINT parse_is_there CHECK hasColumnInTable('@database', 'parse', 'line')
)
ENGINE = Null
