CREATE TEMPORARY VIEW s AS SELECT * FROM VALUES ('n', 2023, 1, 10), ('n', 2023, 2, 20), ('n', 2024, 1, 30), ('s', 2023, 1, 5), ('s', 2024, 2, NULL), (NULL, 2024, 1, 7) AS s(region, y, q, amt);
SELECT * FROM s PIVOT (sum(amt) FOR y IN (2023, 2024));
SELECT * FROM (SELECT region, y, amt FROM s) PIVOT (sum(amt) FOR y IN (2023, 2024));
SELECT * FROM (SELECT region, y, amt FROM s) PIVOT (sum(amt) FOR y IN (2023 AS a, 2024 AS b));
SELECT * FROM (SELECT region, y, amt FROM s) PIVOT (sum(amt) AS t, count(*) AS n FOR y IN (2023, 2024));
SELECT * FROM (SELECT region, y, q, amt FROM s) PIVOT (sum(amt) FOR (y, q) IN ((2023, 1), (2024, 1), (2023, 2)));
SELECT * FROM (SELECT region, y, q, amt FROM s) PIVOT (sum(amt) FOR (y, q) IN ((2023, 1) AS p, (2024, 2) AS r));
SELECT * FROM (SELECT y, amt FROM s) PIVOT (max(amt) FOR y IN (2022, 2023));
SELECT * FROM (SELECT region, q, amt FROM s) PIVOT (avg(amt) FOR region IN ('n', 's', NULL));
SELECT * FROM (SELECT region, q, amt FROM s) PIVOT (count(amt) AS c FOR region IN ('n' AS north, 's' AS south));
SELECT region, `2023` FROM (SELECT region, y, amt FROM s) PIVOT (sum(amt) FOR y IN (2023)) WHERE `2023` > 5;
-- later
SELECT * FROM (SELECT region, y, amt FROM s) PIVOT (sum(amt * 2) + 1 FOR y IN (2023));
SELECT * FROM (SELECT region, y, amt FROM s) PIVOT (first(amt) FOR y IN (2024)) ORDER BY region;
SELECT * FROM (SELECT region, y, amt FROM s) PIVOT (collect_list(amt) FOR y IN (2023)) WHERE region = 'n';
SELECT p.region, p.a FROM (SELECT region, y, amt FROM s) PIVOT (sum(amt) FOR y IN (2023 AS a)) AS p;
SELECT * FROM (SELECT region, y, amt FROM s) PIVOT (sum(amt) FOR y IN (2023 AS a)) JOIN (SELECT 'n' AS region2) ON region = region2;
SELECT sum(a) FROM (SELECT region, y, amt FROM s) PIVOT (sum(amt) FOR y IN (2023 AS a));
-- unpivot
CREATE TEMPORARY VIEW u AS SELECT * FROM VALUES (1, 10, NULL, 30), (2, NULL, NULL, 60), (3, 70, 80, 90) AS u(id, a, b, c);
SELECT * FROM u UNPIVOT (v FOR n IN (a, b, c));
SELECT * FROM u UNPIVOT INCLUDE NULLS (v FOR n IN (a, b, c));
SELECT * FROM u UNPIVOT EXCLUDE NULLS (v FOR n IN (a, b));
SELECT * FROM u UNPIVOT (v FOR n IN (a AS first, b AS second));
SELECT * FROM u UNPIVOT ((v, w) FOR n IN ((a, b), (b, c)));
SELECT * FROM u UNPIVOT ((v, w) FOR n IN ((a, b) AS ab, (b, c) AS bc));
SELECT * FROM u UNPIVOT INCLUDE NULLS ((v, w) FOR n IN ((a, b) AS ab, (c, a) AS ca));
SELECT n, sum(v) FROM u UNPIVOT (v FOR n IN (a, b, c)) GROUP BY n;
SELECT n, count(*) FROM (SELECT * FROM u WHERE id > 1) UNPIVOT (v FOR n IN (a, c)) GROUP BY n;
SELECT p.id, p.v FROM u UNPIVOT (v FOR n IN (a, b)) AS p WHERE p.v > 20;
SELECT * FROM u UNPIVOT (v FOR n IN (id, c));
SELECT * FROM (SELECT id, CAST(a AS BIGINT) AS a, b FROM u) UNPIVOT (v FOR n IN (a, b));
-- error
SELECT * FROM s PIVOT (amt FOR y IN (2023));
-- error
SELECT * FROM s PIVOT (sum(amt) FOR nothing IN (2023));
-- later: error
SELECT * FROM s PIVOT (sum(amt) FOR y IN (q));
-- error
SELECT * FROM u UNPIVOT (v FOR n IN (a, nothing));
-- error
SELECT * FROM (SELECT id, a, 'x' AS b FROM u) UNPIVOT (v FOR n IN (a, array(b)));
-- error
SELECT * FROM u UNPIVOT ((v, w) FOR n IN (a, b));
