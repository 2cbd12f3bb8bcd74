CREATE TEMPORARY VIEW t AS SELECT * FROM VALUES (1, 10, 'a'), (2, 20, 'b'), (3, NULL, 'a'), (NULL, 40, NULL) AS t(a, b, s);
-- names and stars
SELECT * FROM t;
SELECT t.* FROM t WHERE a = 1;
SELECT *, a + b AS c FROM t WHERE b IS NOT NULL;
SELECT t.*, t.a FROM t WHERE a = 2;
SELECT A, B FROM T WHERE S = 'a';
SELECT `a`, `b` FROM `t` WHERE `s` = 'b';
SELECT x.a FROM t AS x WHERE x.a > 1;
SELECT x.a FROM t x;
SELECT a one, b AS two FROM t WHERE a = 1;
SELECT a AS `my name`, b `other` FROM t WHERE a = 1;
SELECT * EXCEPT (b) FROM t WHERE a = 1;
-- later
SELECT * EXCEPT (t.b, s) FROM t WHERE a = 1;
-- later
SELECT t.* EXCEPT (t.a) FROM t WHERE a = 1;
-- later
SELECT * EXCEPT (x.a) FROM t x JOIN t y ON x.a = y.a WHERE x.a = 1;
-- later
SELECT x.* EXCEPT (x.a), y.a FROM t x JOIN t y ON x.a = y.a WHERE x.a = 1;
SELECT count(*), count(1), count(a), count(a, b) FROM t;
SELECT a, a FROM t WHERE a = 1;
SELECT 1, 1, 2;
-- later
SELECT 'it''s', "double", 'a' 'b', r'raw\n', 'tab\there';
SELECT 1 AS a, 2 AS b, a + b AS c;
-- lateral aliases
SELECT a + 1 AS x, x * 2 AS y, y - x AS z FROM t WHERE a IS NOT NULL;
SELECT a AS b, b AS c FROM t WHERE a = 1;
SELECT sum(a) AS n, n + 1 AS m FROM t;
SELECT s, count(*) AS n, n * 10 AS m FROM t GROUP BY s;
SELECT upper(s) AS u, u || '!' AS v FROM t WHERE s IS NOT NULL;
-- WHERE
-- error
SELECT a FROM t WHERE a;
SELECT a FROM t WHERE true;
-- error
SELECT a FROM t WHERE NULL;
SELECT a FROM t WHERE NOT NULL;
SELECT a FROM t WHERE a = 1 OR b = 40 AND s IS NULL;
SELECT a FROM t WHERE (a = 1 OR b = 40) AND s IS NULL;
SELECT a FROM t WHERE NOT a = 1;
SELECT a FROM t WHERE NOT (a = 1 AND b = 10);
SELECT a FROM t WHERE a BETWEEN 1 AND 2;
SELECT a FROM t WHERE a NOT BETWEEN 2 AND 5;
SELECT a FROM t WHERE a BETWEEN 3 AND 1;
SELECT a FROM t WHERE NULL BETWEEN a AND b;
SELECT a FROM t WHERE s LIKE 'a%';
SELECT a FROM t WHERE s NOT LIKE 'a%';
SELECT a FROM t WHERE s IN ('a', 'c');
SELECT a FROM t WHERE s NOT IN ('a', NULL);
SELECT a FROM t WHERE s IS NULL OR s <> 'a';
SELECT a FROM t WHERE a IS DISTINCT FROM 1;
-- later
SELECT a FROM t WHERE a IS NOT DISTINCT FROM NULL AND b = 40;
-- later
SELECT a FROM t WHERE a IS DISTINCT FROM b AND b IS NOT NULL OR a = 3;
SELECT a FROM t WHERE (a > 1) IS TRUE;
SELECT a FROM t WHERE (a > 1) IS NOT TRUE;
SELECT a FROM t WHERE (a > 1) IS UNKNOWN;
SELECT a FROM t WHERE (a > 1) IS FALSE OR (b > 100) IS NOT UNKNOWN AND a = 2;
SELECT a FROM t WHERE a <> 1;
SELECT a FROM t WHERE a != 1 AND a == 2;
SELECT a FROM t WHERE a <=> NULL;
SELECT a FROM t WHERE ! (a = 1);
SELECT a FROM t WHERE a + b > 20;
SELECT a FROM t WHERE coalesce(a, 0) = 0;
SELECT a FROM t WHERE CASE WHEN s = 'a' THEN a > 1 ELSE b > 30 END;
SELECT a FROM t WHERE if(s = 'a', a = 1, b = 20);
SELECT a FROM t WHERE struct(a, s) = struct(1, 'a');
-- later
SELECT a FROM t WHERE (a, s) = (1, 'a');
SELECT a FROM t WHERE (a, b) IN ((1, 10), (2, 21));
-- DISTINCT, LIMIT
SELECT DISTINCT s FROM t;
SELECT DISTINCT a % 2, s FROM t;
SELECT ALL s FROM t;
SELECT DISTINCT * FROM t WHERE a < 3;
SELECT DISTINCT s FROM t ORDER BY s DESC LIMIT 1;
SELECT a FROM t ORDER BY a DESC LIMIT 2;
SELECT a FROM t ORDER BY a LIMIT 2 OFFSET 1;
SELECT count(*) FROM (SELECT a FROM t LIMIT 3);
SELECT count(*) FROM (SELECT a FROM t OFFSET 3);
SELECT count(*) FROM (SELECT DISTINCT s FROM t);
-- CASE
SELECT a, CASE a WHEN 1 THEN 'one' WHEN 2 THEN 'two' END FROM t;
SELECT a, CASE WHEN a > 1 THEN 'big' WHEN a <= 1 THEN 'small' ELSE 'null' END FROM t;
SELECT a, CASE a WHEN NULL THEN 'null' ELSE 'other' END FROM t;
SELECT CASE WHEN a = 1 THEN 1 ELSE 2.5 END FROM t;
SELECT CASE WHEN a = 1 THEN b END + 1 FROM t;
SELECT CASE WHEN b > 15 THEN 1 / (b - 20 + 1) ELSE 0 END FROM t WHERE b IS NOT NULL;
SELECT if(a > 1, 'y', 'n'), nvl(a, -1), nvl2(a, 'set', 'unset'), nullif(a, 2), ifnull(b, 0), coalesce(NULL, s, 'z') FROM t;
SELECT decode(a, 1, 'one', 2, 'two', 'many') FROM t;
-- order of evaluation
SELECT a FROM t WHERE b IS NOT NULL AND 100 / b > 4;
SELECT a, b FROM t WHERE a IS NOT NULL ORDER BY b / a, a;
SELECT 2 + 3 * 4, (2 + 3) * 4, 10 - 4 - 3, 2 * 3 % 4, 7 DIV 2 * 2, -2 + 3, - - 2, 1 | 2 & 3 ^ 1, ~1 & 3;
SELECT NOT true OR true, NOT (true OR true), true OR false AND false, 1 = 1 AND 2 > 1, 1 + 1 = 2 AND NOT 3 < 2;
SELECT 'a' || 'b' = 'ab', 1 + 2 || 'x', 5 BETWEEN 1 + 1 AND 2 * 3, 1 IN (1) = true, NOT 1 IN (2), 1 IS NULL = false;
SELECT 1 IS DISTINCT FROM 2 AND false, NULL IS NOT DISTINCT FROM NULL OR false, 1 <=> 2 OR true, 1 IS DISTINCT FROM 1 = false;
SELECT sum(x) FROM VALUES (1), (2), (3) AS v(x);
SELECT * FROM VALUES (1, array(1, 2), DATE '2024-01-01'), (2, NULL, NULL) AS v(i, a, d);
SELECT * FROM range(3);
SELECT id * 2 FROM range(1, 10, 3);
SELECT * FROM range(5, 0, -2);
SELECT count(*) FROM range(0);
SELECT max(id) FROM range(1000) WHERE id % 7 = 0;
SELECT a.id, b.id FROM range(2) a JOIN range(2) b ON a.id < b.id;
SELECT 1 WHERE false;
SELECT 1 WHERE 1 = 1;
SELECT count(*) WHERE false;
SELECT current_date() = current_date, now() = current_timestamp();
SELECT a FROM t TABLESAMPLE (100 PERCENT);
SELECT count(*) FROM t TABLESAMPLE (2 ROWS);
SELECT count(*) FROM t TABLESAMPLE (0 PERCENT);
-- error
SELECT nothing FROM t;
-- error
SELECT t.nothing FROM t;
-- error
SELECT x.a FROM t;
-- error
SELECT a FROM nothing;
-- error
SELECT a FROM t WHERE sum(a) > 1;
-- error
SELECT a FROM t WHERE b AS x;
-- error
SELECT nofunction(a) FROM t;
-- error
SELECT abs(a, b) FROM t;
-- error
SELECT a +  FROM t;
-- error
SELECT a FROM t WHERE a = 'x';
-- error
SELECT a FROM t ORDER BY nothing;
-- error
SELECT * EXCEPT (nothing) FROM t;
-- error
SELECT * EXCEPT (y.a) FROM t;
-- error
SELECT a FROM t GROUP BY;
-- error
SELECT FROM t;
-- error
SELECT 1 / 0;
-- error
SELECT 1 % 0;
-- error
SELECT 2147483647 + 1;
-- error
SELECT CASE WHEN true THEN 1 ELSE array(1) END;
