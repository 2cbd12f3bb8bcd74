CREATE TEMPORARY VIEW o AS SELECT * FROM VALUES (1, 1, 'p'), (1, NULL, 'q'), (NULL, 2, 'r'), (NULL, NULL, 's'), (3, 3, 't'), (4, 1, 'u') AS o(a, b, n);
CREATE TEMPORARY VIEW full AS SELECT * FROM VALUES (1, 1), (2, 2), (4, 4) AS f(c, d);
CREATE TEMPORARY VIEW gaps AS SELECT * FROM VALUES (1, 1), (3, NULL), (NULL, 4) AS g(c, d);
CREATE TEMPORARY VIEW none AS SELECT * FROM VALUES (1, 1) AS e(c, d) WHERE false;
SELECT n FROM o WHERE (a, b) IN (SELECT c, d FROM full);
SELECT n FROM o WHERE (a, b) NOT IN (SELECT c, d FROM full);
SELECT n FROM o WHERE (a, b) IN (SELECT c, d FROM gaps);
SELECT n FROM o WHERE (a, b) NOT IN (SELECT c, d FROM gaps);
SELECT n FROM o WHERE (a, b) IN (SELECT c, d FROM none);
SELECT n FROM o WHERE (a, b) NOT IN (SELECT c, d FROM none);
SELECT n FROM o WHERE NOT (a, b) IN (SELECT c, d FROM gaps);
SELECT n FROM o WHERE NOT ((a, b) NOT IN (SELECT c, d FROM gaps));
SELECT n FROM o WHERE (a, b) NOT IN (SELECT c, d FROM full) OR n = 'p';
SELECT n FROM o WHERE NOT ((a, b) IN (SELECT c, d FROM full) AND n <> 'z');
-- later
SELECT n, (a, b) IN (SELECT c, d FROM full) FROM o;
-- later
SELECT n, (a, b) NOT IN (SELECT c, d FROM full) FROM o;
-- later
SELECT n, (a, b) IN (SELECT c, d FROM gaps) FROM o;
-- later
SELECT n, (a, b) NOT IN (SELECT c, d FROM gaps) FROM o;
SELECT n, (a, b) IN (SELECT c, d FROM none) FROM o;
-- later
SELECT n, ((a, b) IN (SELECT c, d FROM gaps)) IS NULL FROM o;
SELECT n FROM o WHERE (a, b, n) NOT IN (SELECT c, d, 'p' FROM full);
SELECT n FROM o WHERE (a, b, n) NOT IN (SELECT c, d, 't' FROM gaps);
SELECT n FROM o WHERE (a + 0, b) NOT IN (SELECT c, max(d) FROM full GROUP BY c);
SELECT n FROM o WHERE (a, b) NOT IN (SELECT c, d FROM full UNION ALL SELECT 3, NULL);
SELECT n FROM o WHERE (a, b) NOT IN (SELECT c, d FROM gaps WHERE c IS NOT NULL AND d IS NOT NULL);
SELECT n FROM o WHERE (a, 1) NOT IN (SELECT c, d FROM full);
SELECT n FROM o WHERE (a, b) NOT IN (SELECT c, d FROM full WHERE c = o.a);
SELECT n FROM o WHERE (a, b) NOT IN ((1, 1), (3, NULL));
-- sums of intervals
SELECT sum(i), try_sum(i), count(i) FROM VALUES (INTERVAL '1' DAY), (INTERVAL '-2' DAY), (NULL), (INTERVAL '5' DAY) AS t(i);
SELECT g, sum(i) FROM VALUES (1, INTERVAL '1 02:00:00' DAY TO SECOND), (1, INTERVAL '0 22:30:00.5' DAY TO SECOND), (2, NULL) AS t(g, i) GROUP BY g;
SELECT CAST(sum(i) AS STRING) FROM VALUES (INTERVAL '1-3' YEAR TO MONTH), (INTERVAL '0-11' YEAR TO MONTH) AS t(i);
SELECT sum(DISTINCT i) FROM VALUES (INTERVAL '1' DAY), (INTERVAL '1' DAY), (INTERVAL '2' DAY) AS t(i);
SELECT n, sum(i) OVER (ORDER BY n) FROM VALUES (1, INTERVAL '1' DAY), (2, INTERVAL '2' DAY), (3, NULL) AS t(n, i);
SELECT sum(y - x) FROM VALUES (DATE '2024-01-01', DATE '2024-01-03'), (DATE '2024-02-01', DATE '2024-03-01') AS t(x, y);
SELECT sum(y - x) FROM VALUES (TIMESTAMP '2024-01-01 00:00:00', TIMESTAMP '2024-01-03 12:00:00'), (TIMESTAMP '2024-02-01 00:00:00', NULL) AS t(x, y);
SELECT sum(i) FROM VALUES (INTERVAL '1' DAY) AS t(i) WHERE false;
