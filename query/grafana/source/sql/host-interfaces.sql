-- Do its network interfaces count errors or drops?
SELECT interface, counter, errors
FROM @answer(29-bad-interfaces)
WHERE host = {host:String}
ORDER BY errors DESC, interface, counter
