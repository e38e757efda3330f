-- Times of ownership of addresses, without overlaps. Where reports of several hosts overlap, the owner is 'ambiguous'. While
-- nobody reports an address, it is still whose it was for @grace_s s, or for up to an hour if the same host has it afterwards.
CREATE VIEW @database.address_owners @on_cluster AS
WITH
    @grace_s AS grace_s,
    3600 AS bridged_s,
    -- One row per address, host and labels, and uninterrupted time.
    spells AS (
        SELECT address, host, datacenter, rack, role, service, owner, min(first) AS first, max(last) AS last,
            leadInFrame(first, 1, last + bridged_s + 1) OVER (
                PARTITION BY address, host, datacenter, rack, role, service, owner ORDER BY first
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next_first,
            if(next_first <= last + bridged_s, next_first - 1, last + grace_s) AS likely_until
        FROM (
            SELECT *, sum(is_start) OVER (
                PARTITION BY address, host, datacenter, rack, role, service, owner ORDER BY first) AS spell
            FROM (
                SELECT *, first > lagInFrame(last, 1, toDateTime(0, 'UTC')) OVER (
                    PARTITION BY address, host, datacenter, rack, role, service, owner ORDER BY first
                    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) + grace_s AS is_start
                FROM (
                    SELECT hour, address, host, datacenter, rack, role, service, owner,
                        min(s.first) AS first, max(s.last) AS last
                    FROM @database.address_sightings AS s
                    GROUP BY hour, address, host, datacenter, rack, role, service, owner)))
        GROUP BY address, host, datacenter, rack, role, service, owner, spell),
    -- Per address: its spells, and all moments at which something may change.
    addresses AS (
        SELECT address,
            groupArray((first, last, likely_until, (host, datacenter, rack, role, service, owner))) AS owners,
            arraySort(arrayDistinct(arrayFlatten(
                groupArray([first - grace_s, first, last + 1, likely_until + 1])))) AS moments
        FROM spells
        GROUP BY address),
    pieces AS (
        SELECT address,
            arrayJoin(arrayZip(arrayPopBack(moments), arrayPopFront(moments))) AS piece,
            piece.1 AS valid_from,
            piece.2 - 1 AS valid_until,
            arrayFilter(o -> o.1 <= valid_from AND o.2 >= valid_until, owners) AS sure,
            arrayFilter(o -> o.1 - grace_s <= valid_from AND o.3 >= valid_until, owners) AS likely,
            if(empty(sure), likely, sure) AS candidates
        FROM addresses),
    named AS (
        SELECT address, valid_from, valid_until,
            if(length(arrayDistinct(candidates.4.1)) > 1,
                ('ambiguous', 'ambiguous', 'ambiguous', 'ambiguous', 'ambiguous', 'ambiguous'),
                arraySort(o -> o.2, candidates)[-1].4) AS names
        FROM pieces
        WHERE notEmpty(candidates)),
    -- Pieces that follow each other and have the same owner are one.
    numbered AS (
        SELECT *, sum(is_start) OVER (PARTITION BY address, names ORDER BY valid_from) AS number
        FROM (
            SELECT *, valid_from != lagInFrame(valid_until, 1, toDateTime(0, 'UTC')) OVER (
                PARTITION BY address, names ORDER BY valid_from
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) + 1 AS is_start
            FROM named))
SELECT address, min(n.valid_from) AS valid_from, max(n.valid_until) AS valid_until,
    names.1 AS host, names.2 AS datacenter, names.3 AS rack, names.4 AS role, names.5 AS service, names.6 AS owner
FROM numbered AS n
GROUP BY address, names, number
