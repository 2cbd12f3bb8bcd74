CREATE TEMPORARY VIEW a AS SELECT * FROM VALUES (1, 'x', 10, 1.5D, true), (1, 'y', 20, 2.5D, false), (1, 'x', 10, NULL, NULL), (2, NULL, NULL, 4.0D, true), (2, 'z', 5, -1.0D, true), (3, NULL, NULL, NULL, NULL), (4, 'w', 7, double('NaN'), false) AS a(g, s, i, d, b);
CREATE TEMPORARY VIEW big AS SELECT * FROM VALUES (9223372036854775807), (1), (NULL) AS big(v);
CREATE TEMPORARY VIEW digits AS SELECT * FROM VALUES (CAST(99999999999999999999999999999999999999 AS DECIMAL(38, 0))), (CAST(99999999999999999999999999999999999999 AS DECIMAL(38, 0))) AS digits(v);
-- sums and averages that may overflow
SELECT g, try_sum(i), try_avg(i), try_sum(d), try_avg(d) FROM a GROUP BY g ORDER BY g;
SELECT try_sum(v), try_avg(v), typeof(try_sum(v)), typeof(try_avg(v)) FROM big;
SELECT try_sum(v), try_avg(v) FROM digits;
SELECT typeof(try_sum(v)), typeof(try_avg(v)) FROM digits LIMIT 1;
SELECT try_sum(DISTINCT i), try_sum(i) FILTER (WHERE g = 1), try_avg(DISTINCT i) FROM a;
SELECT try_sum(i), try_avg(i) FROM a WHERE g = 99;
-- error
SELECT sum(v) FROM big;
SELECT g, try_sum(i) OVER (PARTITION BY g ORDER BY i ROWS UNBOUNDED PRECEDING) AS s FROM a WHERE i IS NOT NULL ORDER BY g, i, s;
SELECT try_sum(v) OVER () FROM big ORDER BY 1;
-- kinds of percentiles
SELECT percentile(i, 0.5), percentile(i, array(0.0, 0.25, 1.0)), percentile(i, 0.5, 2), percentile(DISTINCT i, 0.5), percentile(i, 0.5) FILTER (WHERE g = 1) FROM a;
SELECT percentile(i, 0.5), percentile(i, array(0.5)) FROM a WHERE i IS NULL;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY i), percentile_disc(0.5) WITHIN GROUP (ORDER BY i), percentile_cont(0.25) WITHIN GROUP (ORDER BY i DESC) FROM a;
SELECT g, median(i), mode(s), mode(i), median(d) FROM a WHERE g < 4 GROUP BY g ORDER BY g;
SELECT g, percentile_approx(i, 0.5), percentile_approx(i, array(0.5, 1.0), 100) FROM a GROUP BY g ORDER BY g;
-- error
SELECT percentile(i, 1.5) FROM a;
-- error
SELECT percentile_approx(i, 0.5, 0) FROM a;
SELECT g, listagg(s, ',') WITHIN GROUP (ORDER BY s), listagg(DISTINCT s, '-') WITHIN GROUP (ORDER BY s DESC), string_agg(s) FROM a WHERE g <> 1 OR s = 'x' GROUP BY g ORDER BY g;
SELECT mode(s), mode(i) FROM a WHERE g = 3;
SELECT mode() WITHIN GROUP (ORDER BY i), mode() WITHIN GROUP (ORDER BY s DESC) FROM a;
-- moments and regressions
SELECT round(kurtosis(i), 10), round(skewness(i), 10), kurtosis(i) FILTER (WHERE g = 3), skewness(i) FILTER (WHERE g = 2) FROM a;
SELECT round(regr_slope(d, i), 10), round(regr_intercept(d, i), 10), round(regr_r2(d, i), 10), regr_count(d, i), regr_avgx(d, i), regr_avgy(d, i), regr_sxx(d, i), round(regr_sxy(d, i), 10), round(regr_syy(d, i), 10) FROM a WHERE g < 3;
SELECT regr_slope(d, i), regr_count(d, i), regr_avgx(d, i), regr_sxx(d, i), regr_r2(d, i) FROM a WHERE g = 3;
SELECT regr_slope(y, x), regr_intercept(y, x), regr_r2(y, x), regr_sxx(y, x), regr_sxy(y, x), regr_syy(y, x) FROM VALUES (1, 1), (2, 1), (3, 1) AS t(y, x);
SELECT regr_slope(y, x), regr_r2(y, x) FROM VALUES (2, 1), (2, 2), (2, 3) AS t(y, x);
SELECT g, stddev(i), stddev_pop(i), variance(i), var_pop(i), corr(i, d), covar_pop(i, d), covar_samp(i, d) FROM a WHERE g IN (2, 3) GROUP BY g ORDER BY g;
-- histograms
SELECT histogram_numeric(v, 5) FROM VALUES (0), (1), (2), (10) AS t(v);
SELECT histogram_numeric(v, 3) FROM VALUES (0), (1), (20), (30), (31.5) AS t(v);
SELECT histogram_numeric(v, 2) FROM VALUES (1.0D), (1.25D), (10.0D), (NULL) AS t(v);
SELECT histogram_numeric(v, 5), typeof(histogram_numeric(v, 5)) FROM VALUES (CAST(NULL AS INT)) AS t(v);
SELECT histogram_numeric(v, 10), typeof(histogram_numeric(v, 10)) FROM VALUES (DATE '2020-01-01'), (DATE '2020-01-03'), (DATE '2020-01-03') AS t(v);
SELECT g, histogram_numeric(i, 3), histogram_numeric(DISTINCT i, 3) FROM a GROUP BY g ORDER BY g;
-- error
SELECT histogram_numeric(i, 1) FROM a;
-- error
SELECT histogram_numeric(s, 5) FROM a;
-- bitmaps
SELECT substring(hex(bitmap_construct_agg(bitmap_bit_position(v))), 1, 6), bitmap_count(bitmap_construct_agg(bitmap_bit_position(v))), length(bitmap_construct_agg(bitmap_bit_position(v))) FROM VALUES (1), (2), (3), (2), (NULL) AS t(v);
SELECT bitmap_bucket_number(v), bitmap_count(bitmap_construct_agg(bitmap_bit_position(v))) FROM VALUES (1), (32768), (32769), (70000), (-5) AS t(v) GROUP BY 1 ORDER BY 1;
SELECT substring(hex(bitmap_or_agg(v)), 1, 4), bitmap_count(bitmap_or_agg(v)), length(bitmap_or_agg(v)) FROM VALUES (X'10'), (X'20'), (X'4001'), (NULL) AS t(v);
SELECT substring(hex(bitmap_and_agg(v)), 1, 4), bitmap_count(bitmap_and_agg(v)) FROM VALUES (X'F0'), (X'70FF'), (X'3001') AS t(v);
SELECT bitmap_count(bitmap_or_agg(v)), bitmap_count(bitmap_and_agg(v)), bitmap_count(bitmap_construct_agg(bitmap_bit_position(n))) FROM VALUES (CAST(NULL AS BINARY), CAST(NULL AS BIGINT)) AS t(v, n);
-- error
SELECT bitmap_construct_agg(v) FROM VALUES (32768L) AS t(v);
-- unions of arrays
SELECT array_sort(collect_union(v)), typeof(collect_union(v)) FROM VALUES (array(1, 2)), (array(2, 3, NULL)), (NULL) AS t(v);
-- sketches
SELECT hll_sketch_estimate(hll_sketch_agg(v)), hll_sketch_estimate(hll_sketch_agg(v, 12)), typeof(hll_sketch_agg(v)) FROM VALUES (1), (1), (2), (2), (3), (NULL) AS t(v);
SELECT hll_sketch_estimate(hll_sketch_agg(s)), hll_sketch_estimate(hll_sketch_agg(CAST(i AS BIGINT))), hll_sketch_estimate(hll_sketch_agg(encode(s, 'UTF-8'))) FROM a;
SELECT g, hll_sketch_estimate(hll_sketch_agg(i)) FROM a GROUP BY g ORDER BY g;
SELECT hll_sketch_estimate(hll_union(hll_sketch_agg(x), hll_sketch_agg(y))) FROM VALUES (1, 4), (1, 4), (2, 5), (2, 5), (3, 6) AS t(x, y);
SELECT hll_sketch_estimate(hll_union_agg(k)) FROM (SELECT hll_sketch_agg(v) AS k FROM VALUES (1), (2) AS t(v) UNION ALL SELECT hll_sketch_agg(v) FROM VALUES (2), (3) AS t(v));
SELECT hll_sketch_estimate(hll_union_agg(k, true)) FROM (SELECT hll_sketch_agg(v, 10) AS k FROM VALUES (1), (2) AS t(v) UNION ALL SELECT hll_sketch_agg(v, 14) FROM VALUES (2), (3) AS t(v));
-- error
SELECT hll_sketch_estimate(hll_union_agg(k)) FROM (SELECT hll_sketch_agg(v, 10) AS k FROM VALUES (1), (2) AS t(v) UNION ALL SELECT hll_sketch_agg(v, 14) FROM VALUES (2), (3) AS t(v));
-- error
SELECT hll_sketch_agg(v, 2) FROM VALUES (1) AS t(v);
-- error
SELECT hll_sketch_agg(v) FROM VALUES (1.5) AS t(v);
SELECT hll_sketch_estimate(hll_sketch_agg(v)) BETWEEN 9500 AND 10500 FROM (SELECT id AS v FROM range(10000));
SELECT approx_top_k(s) FROM VALUES ('a'), ('b'), ('a'), (NULL), ('a'), ('b'), ('c') AS t(s);
SELECT approx_top_k(s, 2), approx_top_k(s, 1, 100), typeof(approx_top_k(s)) FROM VALUES ('a'), ('b'), ('a'), ('a'), ('b'), ('c') AS t(s);
SELECT approx_top_k_estimate(approx_top_k_accumulate(v), 2) FROM VALUES (1), (1), (2), (2), (2), (3) AS t(v);
SELECT approx_top_k_estimate(approx_top_k_combine(k, 1000), 2) FROM (SELECT approx_top_k_accumulate(v) AS k FROM VALUES (1), (1), (1), (1), (2) AS t(v) UNION ALL SELECT approx_top_k_accumulate(v) FROM VALUES (2), (2), (2), (3), (2), (2) AS t(v));
SELECT approx_count_distinct(s), approx_count_distinct(i, 0.1), approx_count_distinct(s) FILTER (WHERE g = 3) FROM a;
SELECT hex(count_min_sketch(v, 0.5D, 0.5D, 1)) FROM VALUES (1), (2), (1) AS t(v);
SELECT hex(count_min_sketch(v, 0.2D, 0.9D, 7)) FROM VALUES ('a'), ('b'), (NULL), ('a') AS t(v);
SELECT hex(count_min_sketch(v, 0.5D, 0.5D, 1)) FROM VALUES (1L), (-2L), (10000000000L) AS t(v);
SELECT hex(count_min_sketch(v, 0.5D, 0.5D, 1)), typeof(count_min_sketch(v, 0.5D, 0.5D, 1)) FROM VALUES (CAST(NULL AS INT)) AS t(v);
-- error
SELECT count_min_sketch(v, 0.0D, 0.5D, 1) FROM VALUES (1) AS t(v);
SELECT kll_sketch_get_n_bigint(kll_sketch_agg_bigint(v)), kll_sketch_get_quantile_bigint(kll_sketch_agg_bigint(v), 0.5), kll_sketch_get_rank_bigint(kll_sketch_agg_bigint(v), 3) FROM VALUES (1), (2), (3), (4), (5), (NULL) AS t(v);
SELECT kll_sketch_get_quantile_double(kll_sketch_agg_double(v), array(0.0D, 0.25D, 0.5D, 1.0D)), kll_sketch_get_rank_double(kll_sketch_agg_double(v), 2.5D), kll_sketch_get_n_double(kll_sketch_agg_double(v)) FROM VALUES (1.5D), (2.5D), (3.5D), (4.5D) AS t(v);
SELECT kll_sketch_get_quantile_float(kll_sketch_agg_float(v), 0.5), kll_sketch_get_n_float(kll_sketch_agg_float(v, 100)) FROM VALUES (1.5F), (2.5F), (3.5F) AS t(v);
SELECT theta_sketch_estimate(theta_sketch_agg(v)) FROM VALUES (1), (1), (2), (2), (3), (NULL) AS t(v);
SELECT theta_sketch_estimate(theta_union_agg(k)), theta_sketch_estimate(theta_intersection_agg(k)) FROM (SELECT theta_sketch_agg(v) AS k FROM VALUES (1), (2) AS t(v) UNION ALL SELECT theta_sketch_agg(v) FROM VALUES (2), (3) AS t(v));
-- the others, with DISTINCT, FILTER, NULL and no row at all
SELECT count(*), count(i), count(DISTINCT i), count(i, s), count(DISTINCT i, s), count_if(b), bool_and(b), bool_or(b), every(b), some(b), any(b) FROM a;
SELECT bit_and(i), bit_or(i), bit_xor(i), bit_xor(DISTINCT i), max_by(s, i), min_by(s, i), max_by(s, d) FROM a WHERE g < 4;
SELECT sum(i), avg(i), min(s), max(s), collect_list(i), collect_set(i), median(i), mode(i), listagg(s), max_by(s, i), approx_count_distinct(i), bit_or(i), bool_and(b), kurtosis(i), corr(i, d), regr_slope(i, d), percentile_approx(i, 0.5) FROM a WHERE false;
SELECT array_sort(collect_list(DISTINCT i)), array_sort(collect_set(i)), array_agg(i) FILTER (WHERE g = 2), sort_array(array_agg(s)) FROM a;
SELECT g, sum(i) FILTER (WHERE i > 5), avg(i) FILTER (WHERE i > 100), count(*) FILTER (WHERE b), max(d), min(d) FROM a GROUP BY g ORDER BY g;
SELECT g, i, kurtosis(i) OVER (PARTITION BY b), median(i) OVER (PARTITION BY g), percentile(i, 0.5) OVER (PARTITION BY g), count_if(b) OVER (ORDER BY g), max_by(s, i) OVER (PARTITION BY g) FROM a WHERE i IS NOT NULL ORDER BY g, i, 3;
SELECT max(DISTINCT s), min(DISTINCT i), sum(DISTINCT d) FROM a WHERE g < 3;
SELECT approx_percentile(v, 0.5), approx_percentile(v, array(0.1, 0.9)) FROM (SELECT CAST(id AS INT) AS v FROM range(1, 101));
SELECT typeof(sum(1Y)), typeof(avg(1)), typeof(sum(1.5)), typeof(avg(1.5)), typeof(count(1)), typeof(max('a')), typeof(collect_list(1)), typeof(percentile(1, 0.5)), typeof(median(1)), typeof(approx_percentile(1.5, 0.5)), typeof(bit_xor(1Y)), typeof(count_if(true));
