//! IN and NOT IN, and what the planner finds of them in joins.

use super::{optimized, text};
use datafusion_common::JoinType;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::Join;

fn joins(plan: &LogicalPlan) -> Vec<Join> {
    let mut joins = vec![];
    plan.apply(|node| {
        if let LogicalPlan::Join(join) = node {
            joins.push(join.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    joins
}

#[test]
fn uncorrelated_not_in_is_one_null_aware_key() {
    for sql in [
        "SELECT * FROM t WHERE a NOT IN (SELECT x FROM u)",
        "SELECT * FROM t WHERE NOT a IN (SELECT x FROM u WHERE y > 3)",
        "SELECT * FROM t WHERE a + 1 NOT IN (SELECT x + y FROM u)",
        "SELECT * FROM t WHERE a > 5 AND a NOT IN (SELECT x FROM u)",
    ] {
        let plan = optimized(sql);
        let joins = joins(&plan);
        assert_eq!(joins.len(), 1, "{}", text(&plan));
        let join = &joins[0];
        assert_eq!(join.join_type, JoinType::LeftAnti);
        assert!(join.null_aware && join.on.len() == 1 && join.filter.is_none(), "{}", text(&plan));
        // A predicate on a must not travel over to x: it would drop the NULLs that decide.
        assert!(!text(&plan).contains("x > Int64(5)"), "{}", text(&plan));
    }
}

#[test]
fn in_is_a_semi_join() {
    let plan = optimized("SELECT * FROM t WHERE a IN (SELECT x FROM u WHERE y = b)");
    let joins = joins(&plan);
    assert!(joins.len() == 1 && joins[0].join_type == JoinType::LeftSemi && joins[0].on.len() == 2, "{}", text(&plan));
}

#[test]
fn correlated_not_in_keeps_the_correlation_as_key_only() {
    let plan = optimized("SELECT * FROM t WHERE a NOT IN (SELECT x FROM u WHERE y = b)");
    let joins = joins(&plan);
    assert_eq!(joins.len(), 1, "{}", text(&plan));
    let join = &joins[0];
    assert!(join.join_type == JoinType::LeftAnti && !join.null_aware && join.on.len() == 1, "{}", text(&plan));
    assert!(join.on[0].0.to_string().contains("t.b"), "{}", text(&plan));
    let filter = join.filter.as_ref().unwrap().to_string();
    assert!(filter.contains("IS NULL") && filter.contains("OR"), "{filter}");
}

#[test]
fn in_under_or_is_a_mark_join() {
    let plan = optimized("SELECT * FROM t WHERE b = 3 OR a IN (SELECT x FROM u)");
    assert!(joins(&plan).iter().all(|join| join.join_type == JoinType::LeftMark), "{}", text(&plan));
    assert!(!text(&plan).contains("Subquery:"), "{}", text(&plan));
}

#[test]
fn embedded_not_in_knows_null() {
    for sql in [
        "SELECT * FROM t WHERE b = 3 OR a NOT IN (SELECT x FROM u)",
        "SELECT * FROM t WHERE NOT (b = 3 OR a IN (SELECT x FROM u)) AND s = 'a'",
        "SELECT * FROM t WHERE (a IN (SELECT x FROM u)) IS NULL",
        "SELECT * FROM t WHERE CASE WHEN a IN (SELECT x FROM u) THEN b ELSE 1 END = 1",
        "SELECT * FROM t WHERE 5 NOT IN (SELECT x FROM u)",
    ] {
        let plan = optimized(sql);
        let found = text(&plan);
        assert!(found.contains("LeftMark") || found.contains("LeftAnti"), "{sql}\n{found}");
        assert!(found.contains("IS NULL") && found.contains("(<subquery>)"), "{sql}\n{found}");
        for join in joins(&plan).iter().filter(|join| join.null_aware) {
            assert!(join.on.len() == 1 && join.filter.is_none(), "{sql}\n{found}");
        }
    }
    let plan = optimized("SELECT * FROM t WHERE b = 3 OR a NOT IN (SELECT x FROM u WHERE y = b)");
    assert_eq!(joins(&plan).iter().filter(|join| join.join_type == JoinType::LeftMark).count(), 2, "{}", text(&plan));
}

#[test]
fn in_and_exists_in_a_select_list() {
    let plan = optimized("SELECT a, a IN (SELECT x FROM u) AS found, EXISTS (SELECT * FROM u WHERE y > 50) FROM t");
    let found = text(&plan);
    assert!(joins(&plan).len() == 1 && found.contains("LeftMark") && found.contains("Boolean(NULL)"), "{found}");
    assert_eq!(plan.schema().field(1).name(), "found");
}

#[test]
fn subqueries_in_on_are_filters() {
    let plan = optimized("SELECT t.a FROM t JOIN u ON a = x AND b IN (SELECT y FROM u AS v WHERE v.x > 3)");
    let types: Vec<JoinType> = joins(&plan).iter().map(|join| join.join_type).collect();
    assert!(types.contains(&JoinType::LeftSemi) && types.contains(&JoinType::Inner), "{}", text(&plan));
}

#[test]
fn what_the_borrowed_rules_leave_is_unnested() {
    let plan = optimized("SELECT a IN (SELECT x FROM u WHERE y = b) FROM t");
    assert!(!joins(&plan).is_empty() && !text(&plan).contains("Subquery:"), "{}", text(&plan));
}

#[test]
fn uncorrelated_scalar_subqueries_stay() {
    let plan = optimized("SELECT * FROM t WHERE a > (SELECT max(x) FROM u)");
    assert!(joins(&plan).is_empty() && text(&plan).contains("(<subquery>)"), "{}", text(&plan));
}
