//! Recursive common table expressions.

use super::shared::SharedPlans;
use super::{PlanOptions, Planner, plan_part, schema_of};
use crate::catalog::WorkTable;
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr::{self, ExprRef};
use crate::operator::{ProjectNode, Recursion, RecursiveNode, WorkNode, WorkRows};
use arrow::datatypes::FieldRef;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::{RecursiveQuery, TableScan};
use std::sync::Arc;

impl<'a> Planner<'a> {
    pub(super) fn recursive(&self, query: &'a RecursiveQuery, logical: &'a LogicalPlan) -> Result<PlanRef> {
        let schema = schema_of(logical);
        let mut first = self.node(&query.static_term, Vec::new())?;
        if query.is_distinct {
            let groups = columns(&first);
            first = self.aggregated(first, groups, Vec::new(), schema.clone(), self.rows_of(&query.static_term))?;
        }
        let (mut references, mut alike) = (0, true);
        let differ = |(a, b): (&FieldRef, &FieldRef)| a.data_type() != b.data_type() && a.data_type().is_primitive();
        query.recursive_term.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(table) = work_table(scan).filter(|table| table.name == query.name)
            {
                references += 1;
                alike = alike && !table.schema.fields().iter().zip(schema.fields()).any(differ);
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        // The recursive term was bound to the types of the first query of a UNION, before they were made alike.
        if !alike {
            return Err(Error::unsupported("a recursive query that begins with a UNION of columns of different types")
                .with_hint("cast the columns of its first part"));
        }
        let (term, options, name) = (query.recursive_term.clone(), self.options.clone(), query.name.clone());
        let planned = move |rows: &WorkRows| {
            let mut options = options.clone();
            options.work.push((name.clone(), rows.clone()));
            plan_term(&term, &options)
        };
        let recursion = Recursion {
            first,
            shown: planned(&WorkRows::none(schema.clone()))?,
            term: Box::new(planned),
            references,
            distinct: query.is_distinct,
            levels_max: self.options.recursion_levels_max,
        };
        Ok(Arc::new(RecursiveNode::new(recursion, schema)))
    }

    /// The work rows where a recursive term reads itself; None for other tables.
    pub(super) fn work_rows(&self, scan: &'a TableScan, logical: &'a LogicalPlan) -> Result<Option<PlanRef>> {
        let Some(table) = work_table(scan) else { return Ok(None) };
        let rows = self.options.work.iter().rev().find(|(name, _)| *name == table.name);
        let Some((_, rows)) = rows else {
            return Err(Error::unsupported(format!("a reference to '{}' at this place", table.name)));
        };
        let all: PlanRef = Arc::new(WorkNode::new(rows.clone(), table.schema.clone()));
        let Some(projection) = &scan.projection else { return Ok(Some(all)) };
        let every = columns(&all);
        let wanted = projection.iter().filter_map(|column| every.get(*column).cloned()).collect();
        Ok(Some(Arc::new(ProjectNode::new(all, wanted, schema_of(logical)))))
    }
}

/// Planned on a stack of its own size: a task of the scheduler does it, level by level.
fn plan_term(term: &LogicalPlan, options: &PlanOptions) -> Result<PlanRef> {
    const STACK_BYTES: usize = 16 << 20;
    stacker::maybe_grow(STACK_BYTES / 2, STACK_BYTES, || plan_part(term, options, &SharedPlans::find(term)?))
}

fn work_table(scan: &TableScan) -> Option<&WorkTable> {
    scan.source.downcast_ref::<WorkTable>()
}

/// All columns of a plan's output.
fn columns(plan: &PlanRef) -> Vec<ExprRef> {
    let fields = plan.schema().fields().iter().enumerate();
    fields.map(|(at, field)| expr::column(at, field.data_type().clone(), field.is_nullable(), field.name().clone())).collect()
}
