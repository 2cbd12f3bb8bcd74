CREATE TEMPORARY VIEW c AS SELECT * FROM VALUES (1, array(1, 2), named_struct('x', 1, 'y', 'a'), map('k', 1)), (2, array(1, NULL), named_struct('x', 1, 'y', NULL), map('k', NULL, 'l', 2)), (3, array(), named_struct('x', NULL, 'y', 'b'), map()), (4, NULL, NULL, NULL), (5, array(1, 2), named_struct('x', 1, 'y', 'a'), map('z', 9)) AS c(i, a, s, m);
-- access
SELECT i, a[0], a[1] FROM c WHERE size(a) > 1;
SELECT i, s.x, s.y FROM c;
SELECT i, m['k'] FROM c;
-- later
SELECT i, s.* FROM c WHERE i < 3;
SELECT i, get(a, 5), try_element_at(a, 9), try_element_at(m, 'zz') FROM c;
SELECT i, element_at(m, 'k') FROM c WHERE map_contains_key(m, 'k');
SELECT i, size(a), size(m), cardinality(a) FROM c;
SELECT i, array_contains(a, 1), array_contains(a, 7) FROM c;
SELECT c.s.x FROM c;
SELECT max(s.x), min(a[0]) FROM c WHERE size(a) > 0;
-- comparison
SELECT i FROM c WHERE a = array(1, 2);
SELECT i FROM c WHERE a <> array(1, 2);
SELECT i FROM c WHERE a < array(1, 3);
SELECT i FROM c WHERE a <=> array(1, NULL);
SELECT i FROM c WHERE a = array(1, CAST(NULL AS INT));
SELECT i FROM c WHERE s = named_struct('x', 1, 'y', 'a');
SELECT i FROM c WHERE s >= named_struct('x', 1, 'y', 'a');
SELECT i FROM c WHERE s <=> named_struct('x', 1, 'y', CAST(NULL AS STRING));
SELECT i FROM c WHERE s IN (named_struct('x', 1, 'y', 'a'), named_struct('x', 7, 'y', 'q'));
SELECT i FROM c WHERE a IN (array(1, 2), array(3));
SELECT i FROM c WHERE a IS NULL;
SELECT i FROM c WHERE s IS NOT NULL;
SELECT array(1, 2) = array(1, 2), array(1, 2) < array(1, 2, 0), array() < array(1), array(2) > array(1, 9);
SELECT named_struct('a', 1, 'b', 2) < named_struct('a', 1, 'b', 3), named_struct('a', NULL, 'b', 2) = named_struct('a', NULL, 'b', 2);
SELECT array(NULL) = array(NULL), array(1, NULL) < array(1, 2), array(array(1)) = array(array(1));
SELECT greatest(array(1, 2), array(1, 3)), least(named_struct('a', 2), named_struct('a', 1));
-- later
SELECT array(CAST('NaN' AS DOUBLE)) = array(CAST('NaN' AS DOUBLE)), array(0.0D) = array(-0.0D);
-- grouping and sets
SELECT a, count(*) FROM c GROUP BY a;
SELECT s, count(*) FROM c GROUP BY s;
SELECT s.x, count(*) FROM c GROUP BY s.x;
SELECT a, s, count(*) FROM c GROUP BY a, s;
SELECT DISTINCT a FROM c;
SELECT DISTINCT s FROM c;
SELECT count(DISTINCT a), count(DISTINCT s) FROM c;
SELECT a FROM c UNION SELECT a FROM c;
SELECT s FROM c EXCEPT SELECT s FROM c WHERE i = 3;
SELECT a FROM c INTERSECT SELECT array(1, 2);
-- later
SELECT min(a), max(a), min(s), max(s) FROM c;
SELECT a, collect_list(i) FROM c GROUP BY a HAVING count(*) > 1;
SELECT collect_set(a) FROM c WHERE i IN (1, 5);
SELECT size(collect_list(s)), size(collect_set(s)) FROM c;
SELECT i, rank() OVER (ORDER BY a) FROM c;
SELECT i, count(*) OVER (PARTITION BY s) FROM c;
SELECT i, lag(a) OVER (ORDER BY i), first_value(s) OVER (ORDER BY i DESC) FROM c;
-- joins
SELECT l.i, r.i FROM c l JOIN c r ON l.a = r.a WHERE l.i < r.i;
SELECT l.i, r.i FROM c l JOIN c r ON l.s = r.s WHERE l.i < r.i;
SELECT l.i, r.i FROM c l JOIN c r ON l.a <=> r.a AND l.s <=> r.s WHERE l.i <> r.i;
SELECT l.i, r.i FROM c l LEFT JOIN c r ON l.s.x = r.i AND l.a = r.a;
SELECT i FROM c WHERE a IN (SELECT a FROM c WHERE i = 5);
SELECT i FROM c WHERE s NOT IN (SELECT s FROM c WHERE i = 1);
SELECT i FROM c WHERE EXISTS (SELECT 1 FROM c d WHERE d.a = c.a AND d.i <> c.i);
-- later
SELECT l.i, r.i FROM c l JOIN c r ON l.a[0] = r.s.x WHERE size(l.a) > 0;
SELECT i, x FROM c LATERAL VIEW explode(a) v AS x;
SELECT i, x FROM c LATERAL VIEW OUTER explode(a) v AS x;
SELECT i, p, x FROM c LATERAL VIEW posexplode(a) v AS p, x;
SELECT i, k, v FROM c LATERAL VIEW explode(m) e AS k, v;
SELECT i, k, v FROM c LATERAL VIEW OUTER explode(m) e AS k, v;
SELECT sum(x) FROM c LATERAL VIEW explode(a) v AS x;
SELECT i, x FROM c, LATERAL explode(a) AS v(x);
SELECT inline(array(struct(1, 'a'), struct(2, 'b')));
SELECT i, inline(array(s)) FROM c WHERE i < 3;
SELECT explode(array(1, 2)) AS x, 5;
SELECT explode_outer(array()), 1;
SELECT posexplode(array('a', 'b'));
SELECT stack(2, 1, 'a', 2, 'b');
-- building
SELECT i, array_append(a, 9), array_prepend(a, 0), array_size(a) FROM c;
SELECT i, concat(a, array(7)), reverse(a), slice(a, 1, 1) FROM c;
SELECT i, transform(a, x -> x + i), filter(a, x -> x > 1), exists(a, x -> x = 2), forall(a, x -> x > 0) FROM c;
SELECT i, aggregate(a, 0, (acc, x) -> acc + coalesce(x, 0)) FROM c;
SELECT i, map_keys(m), map_values(m), map_entries(m) FROM c WHERE i <> 2;
SELECT i, map_filter(m, (k, v) -> v > 1), transform_values(m, (k, v) -> v + 1) FROM c WHERE i = 1 OR i = 5;
SELECT i, named_struct('q', s, 'w', a).q.x FROM c;
SELECT i, struct(i, a).a, struct(i + 1 AS j, s).j FROM c;
-- later
SELECT i, CAST(a AS ARRAY<STRING>), CAST(s AS STRUCT<p: BIGINT, q: STRING>), CAST(m AS MAP<STRING, DOUBLE>) FROM c;
SELECT i, CAST(a AS STRING), CAST(s AS STRING), CAST(m AS STRING) FROM c;
SELECT i, to_json(s), to_json(a), to_json(m) FROM c;
SELECT array_agg(i), map_from_entries(collect_list(struct(i, s.x))) FROM c;
SELECT arrays_zip(array(1, 2), array('a', 'b')), flatten(array(array(1), array(2, 3))), array_join(array('a', NULL, 'b'), '-');
SELECT array_union(array(1, NULL), array(NULL, 2)), array_intersect(array(1, NULL), array(NULL, 1)), array_except(array(1, 2, NULL), array(1));
SELECT array_distinct(array(1, NULL, 1, NULL)), array_position(array(1, 2), 2), array_remove(array(1, NULL, 1, 2), 1), array_repeat('x', 2);
SELECT coalesce(a, array(0)), nvl(s, named_struct('x', 0, 'y', 'none')), if(i > 2, m, map('other', 0)) FROM c;
-- error
SELECT a[9] FROM c WHERE i = 1;
-- error
SELECT element_at(a, 0) FROM c WHERE i = 1;
-- error
SELECT s.zz FROM c;
-- error
SELECT m, count(*) FROM c WHERE i = a GROUP BY m;
-- later: error
SELECT i FROM c WHERE m = map('k', 1);
-- later: error
SELECT i FROM c ORDER BY m;
-- error
SELECT i FROM c WHERE a = 1;
-- error
SELECT i FROM c WHERE s = array(1);
-- error
SELECT map(NULL, 1);
-- error
SELECT map('a', 1, 'a', 2);
-- error
SELECT array(1, map('a', 1));
