//! Join orders: stable under permutation of FROM, without needless cross products, and the same
//! query still.

use super::{fixture::Provider, optimized, text};
use crate::optimizer::{OptimizeOptions, join_order, optimize};
use datafusion_common::JoinType;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::{Expr, LogicalPlan, utils::split_conjunction};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A query whose FROM list can be permuted: SELECT list, FROM, the rest.
struct Query(&'static str, &'static str, &'static [&'static str], &'static str);

const QUERIES: &[Query] = &[
    Query(
        "Q5",
        "n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue",
        &["customer", "orders", "lineitem", "supplier", "nation", "region"],
        "c_custkey = o_custkey AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey AND c_nationkey = s_nationkey \
         AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey AND r_name = 'ASIA' \
         AND o_orderdate >= DATE '1994-01-01' AND o_orderdate < DATE '1995-01-01' GROUP BY n_name",
    ),
    Query(
        "Q7",
        "n1.n_name, n2.n_name, sum(l_extendedprice)",
        &["supplier", "lineitem", "orders", "customer", "nation n1", "nation n2"],
        "s_suppkey = l_suppkey AND o_orderkey = l_orderkey AND c_custkey = o_custkey AND s_nationkey = n1.n_nationkey \
         AND c_nationkey = n2.n_nationkey AND ((n1.n_name = 'FRANCE' AND n2.n_name = 'GERMANY') \
         OR (n1.n_name = 'GERMANY' AND n2.n_name = 'FRANCE')) \
         AND l_shipdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31' GROUP BY n1.n_name, n2.n_name",
    ),
    Query(
        "Q8",
        "extract(year FROM o_orderdate), sum(CASE WHEN n2.n_name = 'BRAZIL' THEN l_extendedprice ELSE 0 END)",
        &["part", "supplier", "lineitem", "orders", "customer", "nation n1", "nation n2", "region"],
        "p_partkey = l_partkey AND s_suppkey = l_suppkey AND l_orderkey = o_orderkey AND o_custkey = c_custkey \
         AND c_nationkey = n1.n_nationkey AND n1.n_regionkey = r_regionkey AND r_name = 'AMERICA' \
         AND s_nationkey = n2.n_nationkey AND o_orderdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31' \
         AND p_type = 'ECONOMY ANODIZED STEEL' GROUP BY extract(year FROM o_orderdate)",
    ),
    Query(
        "Q9",
        "n_name, extract(year FROM o_orderdate), sum(l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity)",
        &["part", "supplier", "lineitem", "partsupp", "orders", "nation"],
        "s_suppkey = l_suppkey AND ps_suppkey = l_suppkey AND ps_partkey = l_partkey AND p_partkey = l_partkey \
         AND o_orderkey = l_orderkey AND s_nationkey = n_nationkey AND p_name LIKE '%green%' \
         GROUP BY n_name, extract(year FROM o_orderdate)",
    ),
    Query(
        "Q21",
        "s_name, count(*) AS numwait",
        &["supplier", "lineitem l1", "orders", "nation"],
        "s_suppkey = l1.l_suppkey AND o_orderkey = l1.l_orderkey AND o_orderstatus = 'F' \
         AND l1.l_receiptdate > l1.l_commitdate AND EXISTS (SELECT * FROM lineitem l2 WHERE \
         l2.l_orderkey = l1.l_orderkey AND l2.l_suppkey <> l1.l_suppkey) AND NOT EXISTS (SELECT * FROM lineitem l3 \
         WHERE l3.l_orderkey = l1.l_orderkey AND l3.l_suppkey <> l1.l_suppkey AND l3.l_receiptdate > l3.l_commitdate) \
         AND s_nationkey = n_nationkey AND n_name = 'SAUDI ARABIA' GROUP BY s_name",
    ),
];

fn sql(query: &Query, from: &[&str]) -> String {
    format!("SELECT {} FROM {} WHERE {}", query.1, from.join(", "), query.3)
}

/// The tables in the order of the plan's leaves: each probe before what it probes.
fn leaves(plan: &LogicalPlan) -> Vec<String> {
    let mut leaves = vec![];
    plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            leaves.push(scan.table_name.to_string());
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    leaves
}

fn crosses(plan: &LogicalPlan) -> usize {
    let mut count = 0;
    plan.apply(|node| {
        count += usize::from(matches!(node, LogicalPlan::Join(join) if join.join_type == JoinType::Inner && join.on.is_empty()));
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    count
}

#[test]
fn permuting_from_changes_nothing() {
    let mut rng = StdRng::seed_from_u64(7);
    for query in QUERIES {
        let expected = text(&optimized(&sql(query, query.2)));
        let mut from = query.2.to_vec();
        for _ in 0..6 {
            from.shuffle(&mut rng);
            let plan = optimized(&sql(query, &from));
            assert_eq!(text(&plan), expected, "{} FROM {from:?}", query.0);
            assert_eq!(crosses(&plan), 0, "{expected}");
        }
    }
}

#[test]
fn facts_probe_and_filtered_dimensions_are_built() {
    for query in QUERIES {
        let leaves = leaves(&optimized(&sql(query, query.2)));
        // The largest table may itself be on a build side once it is thinned out, but never bare.
        let fact = leaves.iter().position(|table| table == "lineitem" || table == "l1").unwrap();
        assert!(fact + 1 < leaves.len(), "{}: {leaves:?}", query.0);
    }
    let q9 = leaves(&optimized(&sql(&QUERIES[3], QUERIES[3].2)));
    let at = |table: &str| q9.iter().position(|leaf| leaf == table);
    assert!(at("lineitem") < at("part") && at("part") < at("supplier"), "{q9:?}");
}

#[test]
fn tables_without_an_edge_are_crossed_last() {
    let plan = optimized("SELECT count(*) FROM region, lineitem, orders, t WHERE l_orderkey = o_orderkey");
    assert_eq!(crosses(&plan), 2, "{}", text(&plan));
    assert_eq!(leaves(&plan)[..2], ["lineitem", "orders"], "{}", text(&plan));
}

#[test]
fn renamed_derived_tables_are_looked_through_or_kept_whole() {
    let plan = optimized(
        "SELECT d.k, count(*) FROM (SELECT o_orderkey AS k, c_nationkey AS n FROM orders, customer WHERE o_custkey = c_custkey) d, \
         lineitem, nation WHERE d.k = l_orderkey AND d.n = n_nationkey AND n_name = 'CHINA' GROUP BY d.k",
    );
    assert_eq!(crosses(&plan), 0);
    assert_eq!(leaves(&plan).len(), 4);
    // The same names on both sides: neither may be taken for the other.
    let plan = optimized(
        "SELECT d.k, e.k FROM (SELECT o_orderkey AS k, c_nationkey AS n FROM orders, customer WHERE o_custkey = c_custkey) d, \
         (SELECT o_orderkey AS k, c_nationkey AS n FROM orders, customer WHERE o_custkey = c_custkey) e WHERE d.k = e.k",
    );
    assert_eq!((crosses(&plan), leaves(&plan).len()), (0, 4), "{}", text(&plan));
}

#[test]
fn a_class_is_joined_once_and_holds_inside_relations() {
    let plan = optimized("SELECT count(*) FROM t t1, t t2, t t3 WHERE t1.a = t2.a AND t2.a = t3.a AND t1.a = t3.a");
    assert_eq!(conjuncts(&plan).len(), 2, "{}", text(&plan));
    // Both columns of u equal t.a, so they equal each other.
    let plan = optimized("SELECT count(*) FROM t, u WHERE t.a = u.x AND t.a = u.y");
    assert!(conjuncts(&plan).iter().any(|conjunct| conjunct == "u.x = u.y"), "{}", text(&plan));
    assert_eq!((crosses(&plan), conjuncts(&plan).len()), (0, 2), "{}", text(&plan));
}

#[test]
fn semi_and_anti_joins_are_ordered_with_the_rest_at_any_size() {
    for count in [2, 5, 11, 14, 20] {
        let mut from: Vec<String> = (0..count).map(|at| format!("t r{at}")).collect();
        let mut predicates: Vec<String> = (1..count).map(|at| format!("r{}.a = r{at}.b", at - 1)).collect();
        predicates.push("EXISTS (SELECT * FROM u WHERE u.x = r0.a AND u.y < r1.b)".into());
        predicates.push("r1.b NOT IN (SELECT y FROM u)".into());
        let build =
            |from: &[String]| optimized(&format!("SELECT count(*) FROM {} WHERE {}", from.join(", "), predicates.join(" AND ")));
        let plan = build(&from);
        assert_eq!((crosses(&plan), leaves(&plan).len()), (0, count + 2), "{}", text(&plan));
        assert_eq!(text(&plan).matches("null_aware").count(), 1, "{}", text(&plan));
        assert_eq!(text(&plan).matches("LeftSemi").count(), 1, "{}", text(&plan));
        from.reverse();
        assert_eq!(text(&build(&from)), text(&plan));
    }
}

#[test]
fn long_predicates_do_not_overflow() {
    let plan = Provider::new().bind("SELECT * FROM t");
    let schema = plan.schema().clone();
    let mut predicate = datafusion_expr::lit(false);
    for at in 0..1_000i64 {
        let a = Expr::Column(schema.columns()[0].clone());
        predicate = predicate.or(a.eq(datafusion_expr::lit(at)).and(datafusion_expr::lit(true)));
    }
    let filter = datafusion_expr::Filter::try_new(predicate, Arc::new(plan)).unwrap();
    assert!(crate::optimizer::estimate::rows(&LogicalPlan::Filter(filter)) > 0.0);
}

/// All conjuncts of the plan's joins, filters and scans as text; equalities in one spelling.
fn conjuncts(plan: &LogicalPlan) -> Vec<String> {
    let mut all = vec![];
    plan.apply(|node| {
        let mut add = |expr: &Expr| all.extend(split_conjunction(expr).iter().map(|conjunct| conjunct.to_string()));
        match node {
            LogicalPlan::Filter(filter) => add(&filter.predicate),
            LogicalPlan::TableScan(scan) => scan.filters.iter().for_each(add),
            LogicalPlan::Join(join) => {
                join.filter.iter().for_each(&mut add);
                for (l, r) in &join.on {
                    let (l, r) = (l.to_string(), r.to_string());
                    all.push(format!("{} = {}", (&l).min(&r), (&l).max(&r)));
                }
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    all.sort();
    all
}

#[test]
fn random_clusters_keep_predicates_and_schema() {
    // Chains and stars of t and u, each key used once, so that no class has a third member.
    for seed in 0..60 {
        let mut rng = StdRng::seed_from_u64(seed);
        let count = rng.random_range(2..15);
        let tables: Vec<bool> = (0..count).map(|_| rng.random_bool(0.5)).collect();
        let mut predicates = vec![];
        for at in 1..count {
            // The new table's column is fresh: each class spans two tables through an expression.
            let other = rng.random_range(0..at);
            let column = |at: usize, second: bool| match (tables[at], second) {
                (true, false) => format!("r{at}.a"),
                (true, true) => format!("r{at}.b"),
                (false, false) => format!("r{at}.x"),
                (false, true) => format!("r{at}.y"),
            };
            match rng.random_range(0..4) {
                0 | 1 => predicates.push(format!("{} + {at} = {}", column(other, true), column(at, false))),
                2 => predicates.push(format!("{} < {} * {at}", column(other, false), column(at, true))),
                _ => predicates.push(format!("{} > {at}", column(at, true))),
            }
        }
        let mut from: Vec<String> =
            tables.iter().enumerate().map(|(at, t)| format!("{} r{at}", if *t { "t" } else { "u" })).collect();
        let predicates = if predicates.is_empty() { vec!["true".to_string()] } else { predicates };
        let columns: Vec<String> =
            (0..count).map(|at| format!("r{at}.{} AS c{at}", if tables[at] { "a" } else { "x" })).collect();
        let build = |from: &[String]| {
            let sql = format!("SELECT {} FROM {} WHERE {}", columns.join(", "), from.join(", "), predicates.join(" AND "));
            Provider::new().bind(&sql)
        };
        let plan = build(&from);
        let before = Arc::new(Mutex::new(None));
        let seen = before.clone();
        let options = OptimizeOptions {
            trace: Some(Arc::new(move |name, plan| {
                if name == "optimize_projections" || name == "join_order" {
                    let mut seen = seen.lock().unwrap();
                    let (last, after): &mut (Option<LogicalPlan>, Option<LogicalPlan>) = seen.get_or_insert((None, None));
                    if name == "join_order" {
                        *after = Some(plan.clone());
                    } else if after.is_none() {
                        *last = Some(plan.clone());
                    }
                }
            })),
            ..OptimizeOptions::default()
        };
        let schema = plan.schema().clone();
        let done = optimize(plan, &options).unwrap();
        assert!(schema.logically_equivalent_names_and_types(done.schema()), "seed {seed}");
        let seen = before.lock().unwrap().take().unwrap();
        let (before, after) = (seen.0.unwrap(), seen.1.unwrap());
        assert_eq!(conjuncts(&before), conjuncts(&after), "seed {seed}\n{}\n{}", text(&before), text(&after));
        assert!(before.schema().logically_equivalent_names_and_types(after.schema()), "seed {seed}");
        // Doing it again changes nothing, and FROM does not matter.
        assert_eq!(text(&join_order(after.clone()).unwrap()), text(&after), "seed {seed}");
        from.shuffle(&mut rng);
        let other = optimize(build(&from), &OptimizeOptions::default()).unwrap();
        assert_eq!(text(&other), text(&done), "seed {seed}");
    }
}

/// Optimises the texts of TPC-H and prints plans and times.
#[test]
fn all_of_tpch_optimises() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/tpch/queries");
    let provider = Provider::new();
    for number in 1..=22 {
        let path = format!("{folder}/q{number:02}.sql");
        let sql = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let plan = provider.bind(&sql);
        let start = Instant::now();
        let plan = optimize(plan, &OptimizeOptions::default()).unwrap_or_else(|error| panic!("{path}: {error}"));
        println!("-- Q{number}: {:?}\n{}", start.elapsed(), text(&plan));
        assert_eq!(crosses(&plan), 0, "Q{number}\n{}", text(&plan));
    }
}

#[test]
fn outer_joins_for_rows_without_a_match_are_anti_joins() {
    let anti = |sql: &str| text(&optimized(sql)).contains("LeftAnti");
    let joined = "FROM customer LEFT JOIN orders ON c_custkey = o_custkey";
    assert!(anti(&format!("SELECT c_name {joined} WHERE o_custkey IS NULL AND c_nationkey < 3")));
    assert!(anti(&format!("SELECT count(*) {joined} AND o_orderstatus = 'F' WHERE o_custkey IS NULL")));
    // Something of the order is read, or may be NULL in one that there is.
    assert!(!anti(&format!("SELECT c_name, o_comment {joined} WHERE o_custkey IS NULL")));
    assert!(!anti(&format!("SELECT c_name {joined} WHERE o_comment IS NULL")));
    assert!(!anti(&format!("SELECT c_name {joined} WHERE o_custkey IS NULL OR c_nationkey < 3")));
}
