-- Whose address was it then?
--
-- Parameters: from, to (UTC); address, as text.
-- Read: times of ownership by host_status. ambiguous: several hosts had it (a virtual address, NAT); a gap: nobody is
-- known to have had it.
-- Cost: address_sightings is read as a whole: who else had the address, and when, decides what was whose.
-- Answer, of the fleet in test/support/fleet-truth:
--   valid_from           valid_until          host                 rack  service
--   2026-11-24 11:27:00  2026-11-24 12:27:59  db-10.b.example.net  r11   db
--   2026-11-24 12:32:59  2026-11-24 13:32:59  db-30.b.example.net  r07   db
SELECT valid_from, valid_until, host, rack, service
FROM address_owners
WHERE address = toIPv6({address:String}) AND valid_until >= {from:DateTime64(9, 'UTC')} AND valid_from < {to:DateTime64(9, 'UTC')}
ORDER BY valid_from
