-- Which values does the label service have?
SELECT DISTINCT service
FROM hosts
ORDER BY service
