CREATE TEMPORARY VIEW n AS SELECT * FROM VALUES (1, array(struct(1, 'a'), struct(2, 'b'))), (2, array()), (3, NULL), (4, array(NULL, struct(5, 'e'))) AS n(id, items);
CREATE TEMPORARY VIEW j AS SELECT * FROM VALUES (1, '{"a": 1, "b": {"c": "x"}}'), (2, '{"a": null}'), (3, 'broken'), (4, NULL) AS j(id, text);
SELECT id, x, y FROM n LATERAL VIEW inline(items) v AS x, y;
SELECT id, v.x, v.y FROM n LATERAL VIEW OUTER inline(items) v AS x, y;
SELECT id, col1, col2 FROM n LATERAL VIEW inline(items) v;
SELECT id, c.a, c.b FROM j LATERAL VIEW json_tuple(text, 'a', 'b') c AS a, b;
SELECT id, c0, c1 FROM j LATERAL VIEW json_tuple(text, 'a', 'b') c;
SELECT id, c.a FROM j LATERAL VIEW OUTER json_tuple(text, 'a') c AS a;
SELECT id, a, b FROM j LATERAL VIEW stack(2, id, 'first', id * 10, 'second') s AS a, b;
SELECT id, col0, col1 FROM j LATERAL VIEW stack(2, id, 'first', id * 10) s;
SELECT id, p, q FROM j LATERAL VIEW stack(1, id, id + 1) s AS p, q WHERE q > 3;
SELECT id, pos, x.col1 FROM n LATERAL VIEW posexplode(items) e AS pos, x;
SELECT id, pos, x.col2 FROM n LATERAL VIEW OUTER posexplode(items) e AS pos, x;
SELECT id, k, v FROM n LATERAL VIEW explode(map('a', id, 'b', id * 2)) m AS k, v WHERE id < 3;
SELECT id, a, b FROM (SELECT 1 AS id) LATERAL VIEW explode(array(1, 2)) x AS a LATERAL VIEW explode(array(a, a * 10)) y AS b;
SELECT inline(items) FROM n;
SELECT inline_outer(items) FROM n;
SELECT json_tuple(text, 'a', 'b') FROM j;
SELECT json_tuple(text, 'a', 'b') AS (p, q) FROM j;
SELECT stack(2, 1, 'a', 2, 'b');
SELECT id, stack(2, 'p', id, 'q', id * 2) AS (name, v) FROM j;
SELECT x, y FROM inline(array(struct(1 AS x, 'a' AS y), struct(2 AS x, 'b' AS y)));
SELECT * FROM stack(2, 1, 2, 3, 4) AS s(a, b);
SELECT id, s.a FROM j, LATERAL stack(2, id, -id) AS s(a) WHERE id < 3;
SELECT count(*), sum(x) FROM n LATERAL VIEW OUTER inline(items) v AS x, y ;
-- error
SELECT id FROM n LATERAL VIEW upper('a') v AS x;
-- error
SELECT id, x FROM n LATERAL VIEW inline(items) v AS x;
