CREATE TEMPORARY VIEW g AS SELECT * FROM VALUES ('x', 1, 10, true), ('x', 2, 20, false), ('y', 1, NULL, NULL), ('y', NULL, 40, true), (NULL, 2, 50, false), (NULL, NULL, 60, true), ('x', 1, 70, NULL) AS g(a, b, v, p);
-- plain
SELECT a, sum(v) FROM g GROUP BY a;
SELECT a, b, count(*), count(v) FROM g GROUP BY a, b;
SELECT count(*), sum(v), min(v), max(v), avg(v) FROM g;
SELECT sum(v) FROM g WHERE false;
SELECT sum(v) FROM g WHERE false GROUP BY a;
SELECT a FROM g GROUP BY a;
SELECT a, sum(v) FROM g GROUP BY 1;
SELECT a AS k, sum(v) FROM g GROUP BY k;
SELECT upper(a) AS a, sum(v) FROM g GROUP BY upper(a);
SELECT b + 1, sum(v) FROM g GROUP BY b + 1;
SELECT b + 1 + 1, sum(v) FROM g GROUP BY b + 1;
SELECT b % 2 = 0, count(*) FROM g GROUP BY b % 2 = 0;
SELECT CASE WHEN v > 30 THEN 'big' WHEN v <= 30 THEN 'small' END AS size, count(*) FROM g GROUP BY size;
SELECT CASE WHEN v > 30 THEN 'big' ELSE 'small' END, count(*) FROM g GROUP BY CASE WHEN v > 30 THEN 'big' ELSE 'small' END;
SELECT sum(v) FROM g GROUP BY a HAVING sum(v) > 50;
SELECT a FROM g GROUP BY a HAVING count(*) > 1 AND min(b) = 1;
SELECT a, sum(v) AS s FROM g GROUP BY a HAVING s > 50;
SELECT a, sum(v) s FROM g GROUP BY a ORDER BY s DESC;
SELECT a FROM g GROUP BY a ORDER BY max(v) DESC;
SELECT a, b FROM g GROUP BY a, b ORDER BY b DESC NULLS FIRST, a NULLS LAST;
SELECT sum(v) FROM g HAVING count(*) > 100;
SELECT sum(v) FROM g HAVING count(*) > 1;
SELECT 1 FROM g GROUP BY a;
SELECT DISTINCT count(*) FROM g GROUP BY a;
SELECT a, p, count(*) FROM g GROUP BY ALL;
-- error
SELECT a, count(*) + b FROM g GROUP BY ALL;
SELECT substr(a, 1, 1), b IS NULL, sum(v) FROM g GROUP BY ALL;
SELECT count(*) FROM g GROUP BY ALL;
SELECT a, sum(v) FROM g GROUP BY a, a;
SELECT a, a, sum(v) FROM g GROUP BY 1, 2;
SELECT a AS b, sum(v) FROM g GROUP BY a;
SELECT CAST(b AS STRING) AS b, sum(v) FROM g GROUP BY CAST(b AS STRING);
SELECT CAST(b AS STRING) AS c, sum(v) FROM g GROUP BY c;
SELECT coalesce(a, 'none') AS a, sum(v) FROM g GROUP BY coalesce(a, 'none');
SELECT coalesce(a, 'none') AS k, sum(v) FROM g GROUP BY k HAVING k <> 'x';
SELECT struct(a, b), count(*) FROM g GROUP BY struct(a, b);
SELECT array(b, 1), count(*) FROM g GROUP BY array(b, 1);
SELECT p, max(a) FROM g GROUP BY p;
SELECT sum(v) * 2 + count(*) FROM g GROUP BY a;
SELECT abs(sum(v) - max(v)) FROM g GROUP BY b;
-- DISTINCT and FILTER
SELECT count(DISTINCT a), count(DISTINCT b), count(DISTINCT a, b) FROM g;
SELECT a, count(DISTINCT b), sum(DISTINCT b), avg(DISTINCT b) FROM g GROUP BY a;
SELECT a, count(DISTINCT b), count(b), count(DISTINCT v), sum(v) FROM g GROUP BY a;
SELECT count(DISTINCT b) FILTER (WHERE v > 15), sum(v) FILTER (WHERE b = 1), count(*) FILTER (WHERE p) FROM g;
SELECT a, sum(v) FILTER (WHERE b IS NOT NULL), collect_list(b) FILTER (WHERE v > 10) FROM g GROUP BY a;
-- later: error
SELECT count(*) FILTER (WHERE false), sum(v) FILTER (WHERE NULL) FROM g;
SELECT sum(DISTINCT b + 1), count(DISTINCT b % 2), max(DISTINCT v), min(DISTINCT v) FROM g;
SELECT a, sum(DISTINCT v) FILTER (WHERE v < 50) FROM g GROUP BY a HAVING count(DISTINCT v) > 0;
-- ROLLUP, CUBE, GROUPING SETS
SELECT a, b, sum(v) FROM g GROUP BY ROLLUP (a, b);
SELECT a, b, sum(v) FROM g GROUP BY a, b WITH ROLLUP;
SELECT a, b, sum(v) FROM g GROUP BY CUBE (a, b);
SELECT a, b, sum(v) FROM g GROUP BY a, b WITH CUBE;
SELECT a, b, sum(v) FROM g GROUP BY GROUPING SETS ((a), (b));
SELECT a, b, sum(v) FROM g GROUP BY GROUPING SETS ((a, b), (a), ());
SELECT a, b, sum(v) FROM g GROUP BY GROUPING SETS (a, b, ());
SELECT a, b, sum(v) FROM g GROUP BY a, b GROUPING SETS ((a, b), (b));
-- error
SELECT a, b, sum(v) FROM g GROUP BY GROUPING SETS ((a), (a));
SELECT a, b, sum(v) FROM g GROUP BY a, ROLLUP (b);
SELECT a, b, p, count(*) FROM g GROUP BY a, CUBE (b, p);
SELECT a, b, count(*) FROM g GROUP BY ROLLUP (a), ROLLUP (b);
SELECT a, b, p, count(*) FROM g GROUP BY ROLLUP (a, (b, p));
SELECT a, b, p, count(*) FROM g GROUP BY CUBE ((a, b), p);
-- later
SELECT a, b, count(*) FROM g GROUP BY GROUPING SETS (ROLLUP (a, b), (b));
SELECT a, grouping(a), sum(v) FROM g GROUP BY ROLLUP (a);
SELECT a, b, grouping(a), grouping(b), grouping_id(), count(*) FROM g GROUP BY CUBE (a, b);
SELECT a, b, grouping_id(a, b), count(*) FROM g GROUP BY ROLLUP (a, b);
SELECT a, sum(v) FROM g GROUP BY ROLLUP (a) HAVING grouping(a) = 1;
SELECT a, b, sum(v) FROM g GROUP BY CUBE (a, b) HAVING grouping_id() = 3 OR sum(v) > 100;
SELECT a, sum(v) FROM g GROUP BY ROLLUP (a) ORDER BY grouping(a), a;
SELECT CASE WHEN grouping(a) = 1 THEN 'all' ELSE coalesce(a, 'none') END AS k, sum(v) FROM g GROUP BY ROLLUP (a);
SELECT upper(a), sum(v) FROM g GROUP BY ROLLUP (upper(a));
SELECT b + 1, sum(v) FROM g GROUP BY CUBE (b + 1);
SELECT a, count(DISTINCT b), sum(v) FROM g GROUP BY ROLLUP (a);
SELECT a, b, sum(v) FILTER (WHERE p) FROM g GROUP BY ROLLUP (a, b);
SELECT a, sum(b) FROM g GROUP BY ROLLUP (a, b);
SELECT a, b, rank() OVER (PARTITION BY grouping_id() ORDER BY sum(v) DESC) FROM g GROUP BY ROLLUP (a, b);
SELECT count(*) FROM (SELECT a, b FROM g GROUP BY CUBE (a, b));
SELECT count(*) FROM g WHERE false GROUP BY GROUPING SETS ((), (a));
SELECT sum(v) FROM g WHERE false GROUP BY ROLLUP (a);
SELECT a, sum(v) AS s FROM g GROUP BY ROLLUP (a) ORDER BY s DESC NULLS LAST, a LIMIT 2;
SELECT r.a, r.s, g.b FROM (SELECT a, sum(v) AS s FROM g GROUP BY ROLLUP (a)) r JOIN g ON r.a = g.a;
-- error
SELECT a, v FROM g GROUP BY a;
-- error
SELECT a, sum(v) FROM g;
-- error
SELECT a FROM g GROUP BY 2;
-- error
SELECT a, sum(v) FROM g GROUP BY sum(v);
-- error
SELECT a, sum(v) FROM g GROUP BY 2;
-- error
SELECT sum(sum(v)) FROM g;
-- error
SELECT a FROM g WHERE sum(v) > 1 GROUP BY a;
-- error
SELECT a, grouping(b) FROM g GROUP BY ROLLUP (a);
-- error
SELECT a, grouping(a) FROM g GROUP BY a;
-- error
SELECT a FROM g HAVING a = 'x';
-- error
SELECT a, count(*) FROM g GROUP BY nothing;
