-- Which values does the label rack have?
SELECT DISTINCT rack
FROM hosts
ORDER BY rack
