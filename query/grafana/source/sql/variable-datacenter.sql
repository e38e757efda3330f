-- Which values does the label datacenter have?
SELECT DISTINCT datacenter
FROM hosts
ORDER BY datacenter
