//! Subqueries that look at rows outside of them become joins, whatever they contain.
//!
//! The problem: `SELECT (SELECT .. WHERE s.k = t.k) FROM t` says to run the inner query for every
//! row of t. The idea: run it once for the distinct values that t's rows give to its outer columns,
//! the *domain* D. A join of D with the subquery is pushed down the subquery until nothing below
//! refers outside; on the way every node learns to keep D's columns apart:
//!
//! ```text
//!   dependent join             join on t.k <=> d
//!    ├── t                      ├── t
//!    └── group: max(v)    ->    └── group by d: max(v)      an empty group is put back for a d
//!         └── filter s.k = t.k       └── filter s.k = d     without rows, so that count is 0
//!              └── s                      └── join
//!                                              ├── D = distinct t.k
//!                                              └── s
//! ```
//!
//! A scalar subquery is left-joined (more than one row for a domain value is an error when it runs),
//! EXISTS becomes a mark, a semi or an anti join, LATERAL a join. IN and comparisons with ANY and
//! ALL are spelled out as EXISTS first ([`super::subquery`]), so NULL is treated in one place. Values
//! of D are matched with `<=>`: a NULL in an outer column is a value like any other.
//!
//! Cost: one grouping of the outer rows for D, one join with it. [`laterals`] runs always, [`all`]
//! only for statements that the borrowed rules cannot do, or would get wrong ([`needed`]): those find
//! cheaper forms for plain cases.
//!
//! Neumann and Kemper, "Unnesting Arbitrary Queries", BTW 2015, section 3.

mod attach;
mod comparison;
mod domain;
mod empty;
mod joins;
mod needed;
mod push;
mod rows;

pub(super) use needed::needed;

use crate::error::Result;
use datafusion_common::alias::AliasGenerator;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, Result as PlanResult};
use datafusion_expr::{Expr, LogicalPlan};

/// Makes the names that are new.
pub(super) struct Unnester {
    names: AliasGenerator,
    /// Tells the names of one walk over a plan from those of another.
    walk: &'static str,
}

impl Unnester {
    fn new(walk: &'static str) -> Self {
        Self { names: AliasGenerator::new(), walk }
    }

    fn name(&self, what: &str) -> String {
        self.names.next(&format!("__{}_{what}", self.walk))
    }
}

/// Unnests LATERAL subqueries and functions in FROM that refer to tables before them.
pub(super) fn laterals(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !has_lateral(&plan)? {
        return Ok(plan);
    }
    let unnester = Unnester::new("lateral");
    let plan = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) => unnester.lateral(join),
        node => Ok(Transformed::no(node)),
    })?;
    Ok(plan.data)
}

/// Unnests every subquery in expressions that refers outside, and those at places that no borrowed
/// rule looks at.
pub(super) fn all(plan: LogicalPlan) -> Result<LogicalPlan> {
    let unnester = Unnester::new("subquery");
    let plan = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) => unnester.node(unnester.lateral(join)?.data),
        node => unnester.node(node),
    })?;
    Ok(plan.data)
}

/// Whether a plan has subqueries that [`all`] would do something about.
pub(super) fn has_subqueries(plan: &LogicalPlan) -> bool {
    let found = |node: &LogicalPlan| -> PlanResult<bool> {
        let mut found = false;
        node.apply_expressions(|expr| {
            found |= expr.exists(|part| Ok(is_subquery(part)))?;
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        Ok(found)
    };
    plan.exists(found).unwrap_or(false)
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_))
}

fn has_lateral(plan: &LogicalPlan) -> PlanResult<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= matches!(node, LogicalPlan::Join(join) if !outer_columns(&join.right)?.is_empty());
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// The columns that a plan takes from outside of it, in the order in which they are met.
fn outer_columns(plan: &LogicalPlan) -> PlanResult<Vec<Column>> {
    let mut columns: Vec<Column> = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Expr::OuterReferenceColumn(_, column) = part
                    && !columns.contains(column)
                {
                    columns.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(columns)
}

/// The columns that a subquery takes from outside of it: [`outer_columns`] without those that subqueries
/// inside it take from its own rows.
pub(super) fn free_columns(plan: &LogicalPlan) -> PlanResult<Vec<Column>> {
    let mut columns = outer_columns(plan)?;
    if !columns.is_empty() && has_subqueries(plan) {
        plan.apply(|node| {
            columns.retain(|column| !node.inputs().iter().any(|input| input.schema().has_column(column)));
            Ok(if columns.is_empty() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
    }
    Ok(columns)
}
