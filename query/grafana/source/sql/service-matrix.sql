-- Between which services are segments sent again, per 1,000 segments sent?
SELECT from_service AS sender, to_service AS receiver, per_1000_segments AS per_1000
FROM @answer(05-service-matrix)
WHERE isFinite(per_1000)
ORDER BY sender, receiver
