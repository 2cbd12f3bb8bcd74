//! Estimates against true counts, taken with another engine from TPC-H at scale factor 1.

use super::optimized;
use crate::optimizer::estimate::{Estimator, estimate, rows};

#[test]
fn predicates_are_estimated_within_sane_factors() {
    // SQL, true rows, factor allowed either way.
    let cases: &[(&str, f64, f64)] = &[
        ("SELECT * FROM lineitem", 6_001_215.0, 1.0),
        ("SELECT * FROM lineitem WHERE l_shipdate <= DATE '1998-09-02'", 5_916_591.0, 1.1),
        ("SELECT * FROM lineitem WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01'", 909_455.0, 1.2),
        (
            "SELECT * FROM lineitem WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01' \
             AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
            114_160.0,
            2.0,
        ),
        ("SELECT * FROM orders WHERE o_orderkey = 5", 1.0, 1.5),
        ("SELECT * FROM orders WHERE o_orderkey = -5", 0.0, 1.5),
        ("SELECT * FROM part WHERE p_size IN (49, 14, 23, 45)", 15_977.0, 1.2),
        ("SELECT * FROM part WHERE p_size = 1 OR p_size = 2 OR p_size = 3", 11_897.0, 1.2),
        ("SELECT * FROM part WHERE p_name LIKE '%green%'", 10_664.0, 3.0),
        ("SELECT * FROM part WHERE p_name LIKE 'forest%'", 2_151.0, 4.0),
        ("SELECT * FROM part WHERE NOT p_size = 1", 196_000.0, 1.1),
        ("SELECT * FROM part WHERE p_size IS NULL", 0.0, 1.0),
        ("SELECT * FROM lineitem WHERE l_commitdate < l_receiptdate", 3_793_296.0, 1.5),
        ("SELECT * FROM lineitem JOIN orders ON l_orderkey = o_orderkey", 6_001_215.0, 1.1),
        ("SELECT * FROM lineitem JOIN partsupp ON l_partkey = ps_partkey AND l_suppkey = ps_suppkey", 6_001_215.0, 1.3),
        ("SELECT * FROM lineitem JOIN part ON l_partkey = p_partkey WHERE p_size = 1", 120_000.0, 1.3),
        ("SELECT l_returnflag, l_linestatus, count(*) FROM lineitem GROUP BY l_returnflag, l_linestatus", 4.0, 2.0),
        ("SELECT l_orderkey, sum(l_quantity) FROM lineitem GROUP BY l_orderkey", 1_500_000.0, 1.1),
        ("SELECT DISTINCT o_custkey FROM orders", 99_996.0, 1.1),
        (
            "SELECT * FROM orders WHERE o_custkey IN (SELECT c_custkey FROM customer WHERE c_mktsegment = 'BUILDING')",
            303_959.0,
            1.6,
        ),
        ("SELECT * FROM customer LEFT JOIN orders ON c_custkey = o_custkey", 1_550_004.0, 1.2),
        ("SELECT * FROM customer LEFT JOIN orders ON c_custkey = o_custkey WHERE o_orderkey IS NULL", 50_004.0, 1.3),
        ("SELECT * FROM orders ORDER BY o_orderkey LIMIT 10", 10.0, 1.0),
    ];
    for (sql, truth, factor) in cases {
        let found = rows(&optimized(sql));
        let (low, high) = (truth / factor - 1.0, truth * factor + 1.0);
        assert!((low..=high).contains(&found), "{sql}: estimated {found}, true {truth}");
    }
}

#[test]
fn every_node_has_one_estimate_a_column() {
    let plan = optimized(
        "SELECT o_orderpriority, count(*) FROM orders WHERE EXISTS (SELECT * FROM lineitem WHERE l_orderkey = o_orderkey) \
         GROUP BY o_orderpriority UNION ALL SELECT c_name, 1 FROM customer",
    );
    let mut estimator = Estimator::default();
    let mut nodes = vec![&plan];
    while let Some(node) = nodes.pop() {
        let known = estimator.estimate(node);
        assert_eq!(known.columns.len(), node.schema().fields().len());
        assert_eq!(*known, estimate(node));
        nodes.extend(node.inputs());
    }
}
