-- Who had an address at a moment: key (address), range of time, from `address_owners`. An address that several hosts had at
-- the same time is 'ambiguous'.
CREATE DICTIONARY @database.peers @on_cluster
(
    address IPv6,
    valid_from DateTime,
    valid_until DateTime,
    host String,
    datacenter String,
    rack String,
    role String,
    service String,
    owner String
)
PRIMARY KEY address
SOURCE(CLICKHOUSE(@dictionary_login TABLE 'address_owners' DB '@database'))
LAYOUT(COMPLEX_KEY_RANGE_HASHED(range_lookup_strategy 'max'))
RANGE(MIN valid_from MAX valid_until)
LIFETIME(MIN 30 MAX 60)
