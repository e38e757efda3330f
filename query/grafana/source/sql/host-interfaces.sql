-- Do its network interfaces count errors or drops?
SELECT interface, counter, errors
FROM @answer(29-bad-interfaces)
ORDER BY errors DESC, interface, counter
