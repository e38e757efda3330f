-- Between which racks are segments sent again, per 1,000 segments sent?
SELECT from_rack AS sender, to_rack AS receiver, per_1000_segments AS per_1000
FROM @answer(04-rack-matrix)
WHERE isFinite(per_1000)
ORDER BY sender, receiver
