//! Where a runtime filter on a column of a plan can be tested early.
//!
//! A join that has built one side knows which keys can match. Rows of the other side that cannot
//! are dropped at the scan they come from, if the way down there only passes nodes that let a row
//! be dropped early without changing what the others become:
//!
//! ```text
//!   join  on  p = b                    filter on p ──┐
//!    ├── project a.x AS p                            │ p is a.x
//!    │    └── inner join                             │ a.x comes from the left
//!    │         ├── scan a  <── tested here ──────────┘
//!    │         └── scan c
//!    └── scan b (build)
//! ```

use super::Planner;
use crate::join::RuntimeFilter;
use crate::layout::ScanPredicate;
use crate::operator::TopKFilter;
use crate::optimizer::Generate;
use datafusion_common::JoinType;
use datafusion_expr::logical_plan::{Distinct, Sort};
use datafusion_expr::{Expr, LogicalPlan};
use std::sync::Arc;

/// A runtime filter on its way to its scan: the output column of the node at hand that it tests.
#[derive(Clone)]
pub(super) struct Led {
    pub(super) column: usize,
    pub(super) filter: Arc<dyn ScanPredicate>,
    /// Whether it may be tested below a grouping: it rejects a group's rows all or none.
    pub(super) below_groups: bool,
}

/// The column of the table that `column` of the plan's output is read from, if rows can be dropped
/// there. The scan is the one that [`lead`] reaches.
pub(super) fn table_column(logical: &LogicalPlan, column: usize, below_groups: bool) -> Option<(usize, String)> {
    if let LogicalPlan::TableScan(scan) = logical {
        let position = scan.projection.as_ref().map_or(Some(column), |projection| projection.get(column).copied())?;
        // A limit inside the scan counts rows: none may be dropped before it.
        return scan.fetch.is_none().then(|| (position, scan.table_name.to_string()));
    }
    logical
        .inputs()
        .into_iter()
        .enumerate()
        .find_map(|(child, input)| table_column(input, descend(logical, column, child, below_groups)?, below_groups))
}

/// The filters that go on to child `child`, by that child's columns.
pub(super) fn lead(logical: &LogicalPlan, led: &[Led], child: usize) -> Vec<Led> {
    let further = led.iter().filter_map(|led| {
        let column = descend(logical, led.column, child, led.below_groups)?;
        Some(Led { column, ..led.clone() })
    });
    further.collect()
}

/// The column of child `child` that the node's output column passes on unchanged, if dropping that
/// child's rows by it is the same as dropping the output's.
fn descend(logical: &LogicalPlan, column: usize, child: usize, below_groups: bool) -> Option<usize> {
    match logical {
        LogicalPlan::Projection(projection) => column_of(projection.expr.get(column)?, logical),
        LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Subquery(_) | LogicalPlan::Repartition(_) => {
            Some(column)
        }
        LogicalPlan::Extension(_) => Generate::of(logical).filter(|generate| column < generate.width()).map(|_| column),
        LogicalPlan::Sort(sort) => sort.fetch.is_none().then_some(column),
        LogicalPlan::Distinct(Distinct::All(_)) if below_groups => Some(column),
        LogicalPlan::Aggregate(aggregate) if below_groups => column_of(aggregate.group_expr.get(column)?, logical),
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            let on_left = match join.join_type {
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => false,
                JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => true,
                _ => column < left,
            };
            let may_drop = match join.join_type {
                JoinType::Inner => true,
                // Dropping rows of the side that is filled with NULLs would make new unmatched rows;
                // a NULL row made so would have to be dropped as well. Only the kept side is safe.
                JoinType::Left => on_left,
                JoinType::Right => !on_left,
                JoinType::Full => false,
                JoinType::LeftSemi | JoinType::LeftAnti => true,
                JoinType::RightSemi | JoinType::RightAnti => true,
                JoinType::LeftMark => column < left,
                JoinType::RightMark => column < join.right.schema().fields().len(),
            };
            match (may_drop, on_left, child) {
                (true, true, 0) => Some(column),
                (true, false, 1) if matches!(join.join_type, JoinType::Inner | JoinType::Right) => Some(column - left),
                (true, false, 1) => Some(column),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The position of the child's column that `expr` is, looking through aliases.
fn column_of(expr: &Expr, logical: &LogicalPlan) -> Option<usize> {
    match expr {
        Expr::Column(column) => logical.inputs().first()?.schema().maybe_index_of_column(column),
        Expr::Alias(alias) => column_of(&alias.expr, logical),
        _ => None,
    }
}

impl Planner<'_> {
    /// A filter for the rows of `side` by its key expression, if it can be tested in a scan.
    pub(super) fn runtime_filter(&self, side: &LogicalPlan, key: &Expr) -> Option<(Led, Arc<RuntimeFilter>)> {
        let Expr::Column(column) = key else { return None };
        let position = side.schema().maybe_index_of_column(column)?;
        let (at, table) = table_column(side, position, true)?;
        let filter = RuntimeFilter::new(at, format!("{table}.{} in build keys", column.name));
        Some((Led { column: position, filter: filter.clone(), below_groups: true }, filter))
    }

    /// A filter for the rows below a sort with LIMIT by its first key, if it can be tested in a scan.
    /// Not below groupings: one group's rows may be as good as the bound and be wanted all or none.
    pub(super) fn top_k_filter(&self, sort: &Sort) -> Option<(Led, Arc<TopKFilter>)> {
        let first = sort.expr.first().filter(|_| sort.fetch.is_some())?;
        let Expr::Column(column) = &first.expr else { return None };
        let position = sort.input.schema().maybe_index_of_column(column)?;
        let (at, table) = table_column(&sort.input, position, false)?;
        let data_type = sort.input.schema().field(position).data_type().clone();
        if data_type.is_nested() {
            return None;
        }
        let description = format!("{table}.{} among the first rows", column.name);
        let filter = TopKFilter::new(at, description, data_type, !first.asc, first.nulls_first, sort.expr.len() == 1);
        Some((Led { column: position, filter: filter.clone(), below_groups: false }, filter))
    }
}
