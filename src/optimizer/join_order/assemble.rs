//! Putting a join tree together as a plan again.

use super::Columns;
use super::enumerate::Tree;
use super::graph::{Class, Graph, Set};
use crate::error::{Error, Result};
use datafusion_common::{Column, DFSchemaRef, JoinConstraint, JoinType, NullEquality};
use datafusion_expr::logical_plan::{Filter, Join, Projection};
use datafusion_expr::{Expr, LogicalPlan, utils::conjunction};
use std::sync::Arc;

/// The plan of `tree` with the columns that the cluster had: `outputs` says which relation's column
/// each column of `schema` is.
pub(super) fn assemble(
    graph: &Graph,
    tree: &Tree,
    schema: &DFSchemaRef,
    outputs: Vec<Column>,
    columns: Columns,
) -> Result<LogicalPlan> {
    let mut plan = build(graph, tree)?;
    // Predicates that read no relation.
    let constant = graph.residuals.iter().filter(|residual| residual.set == 0).map(|residual| residual.expr.clone());
    if let Some(filter) = conjunction(constant) {
        plan = Arc::new(LogicalPlan::Filter(Filter::try_new(filter, plan)?));
    }
    let mut wanted: Vec<(Column, Column)> = schema.columns().into_iter().zip(outputs).collect();
    let renamed = wanted.iter().any(|(wanted, own)| wanted != own);
    if columns == Columns::Free {
        wanted.sort_by_key(|(_, own)| plan.schema().maybe_index_of_column(own));
    }
    let found = plan.schema().columns();
    let same = !renamed && (columns == Columns::Free || found.iter().eq(wanted.iter().map(|(_, own)| own)));
    if same {
        return Ok(Arc::unwrap_or_clone(plan));
    }
    let exprs = wanted.into_iter().map(|(wanted, own)| {
        if wanted == own { Expr::Column(own) } else { Expr::Column(own).alias_qualified(wanted.relation, wanted.name) }
    });
    let plan = LogicalPlan::Projection(Projection::try_new(exprs.collect(), plan)?);
    if columns == Columns::Fixed && !schema.logically_equivalent_names_and_types(plan.schema()) {
        return Err(Error::internal("join order changed a schema"));
    }
    Ok(plan)
}

fn build(graph: &Graph, tree: &Tree) -> Result<Arc<LogicalPlan>> {
    let (probe, build_side) = match tree {
        Tree::Leaf(at) => return Ok(graph.nodes[*at].plan.clone()),
        Tree::Join { probe, build } => (probe, build),
    };
    let left = build(graph, probe)?;
    let right = build(graph, build_side)?;
    let join = match **build_side {
        Tree::Leaf(at) if graph.nodes[at].reducer.is_some() => {
            let Some(reduction) = &graph.nodes[at].reducer else {
                return Err(Error::internal("a semi join lost its keys"));
            };
            let join = &reduction.join;
            let inner = JoinConstraint::On;
            Join::try_new(
                left,
                right,
                join.on.clone(),
                join.filter.clone(),
                join.join_type,
                inner,
                join.null_equality,
                join.null_aware,
            )?
        }
        _ => {
            let on = keys(graph, probe, build_side);
            let filter = conjunction(residuals(graph, probe.set(), build_side.set()));
            let equality = NullEquality::NullEqualsNothing;
            Join::try_new(left, right, on, filter, JoinType::Inner, JoinConstraint::On, equality, false)?
        }
    };
    Ok(Arc::new(LogicalPlan::Join(join)))
}

/// One key a class that both sides have: within a side all members are equal already.
fn keys(graph: &Graph, probe: &Tree, build: &Tree) -> Vec<(Expr, Expr)> {
    let member = |class: &Class, side: &Tree| {
        let set = side.set();
        let inside = |at: &usize| set & (1 << at) != 0;
        let driver = Some(side.driver()).filter(|at| class.members.contains_key(at));
        // The driver's own column lets a runtime filter reach the scan that starts the pipeline.
        let at = driver.or_else(|| class.members.keys().copied().find(inside))?;
        class.members.get(&at).map(|(expr, _)| expr.clone())
    };
    graph.classes.iter().filter_map(|class| Some((member(class, probe)?, member(class, build)?))).collect()
}

/// The predicates that this join is the first to have all relations of.
fn residuals(graph: &Graph, probe: Set, build: Set) -> Vec<Expr> {
    let first = |set: Set| set != 0 && set & !(probe | build) == 0 && set & !probe != 0 && set & !build != 0;
    graph.residuals.iter().filter(|residual| first(residual.set)).map(|residual| residual.expr.clone()).collect()
}
