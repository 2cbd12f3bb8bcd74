coalesce(NULL, 1), coalesce(NULL, NULL, 'a'), coalesce(1, 1 / 0), coalesce(NULL, 1, 2.5), if(true, 'a', 'b'), if(NULL, 'a', 'b'), if(1 < 2, 1, 1 / 0)
ifnull(NULL, 'x'), ifnull('a', 'x'), nvl(NULL, 2), nvl(1, 2), nvl2(NULL, 1, 2), nvl2('a', 1, 2), nullif(1, 1), nullif(1, 2), nullif(NULL, 1), nullif('a', 'A')
CASE WHEN 1 > 2 THEN 'a' WHEN 2 > 1 THEN 'b' END, CASE 3 WHEN 1 THEN 'a' WHEN 3 THEN 'c' ELSE 'x' END, CASE WHEN true THEN 1 ELSE 2.5 END, when(1 > 2, 'a'), 5 BETWEEN 1 AND 10, NULL BETWEEN 1 AND 2
equal_null(1, 1), equal_null(1, NULL), equal_null(NULL, NULL), 1 <=> NULL, NULL <=> NULL, isnull(NULL), isnull(1), isnotnull(1), 1 IS DISTINCT FROM 2, 1 IN (1, 2), 3 IN (1, NULL), NOT true, ! false, true AND NULL, false AND NULL, true OR NULL
typeof(coalesce(1, 2L)), typeof(if(true, 1, 2.5)), typeof(nvl(NULL, DATE '2020-01-01')), typeof(NULL), typeof(coalesce(1, '2')), typeof(nullif(1, 2))
assert_true(1 = 1), assert_true(true, 'message')
error: assert_true(1 = 2)
error: assert_true(NULL)
error: raise_error('my words')
error: if(true, 1 / 0, 1)
