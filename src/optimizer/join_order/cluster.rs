//! Taking a cluster of inner joins apart.

use super::{Columns, inside, join_order, subqueries};
use crate::error::Result;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, JoinType, NullEquality};
use datafusion_expr::logical_plan::{Join, Projection};
use datafusion_expr::{Expr, LogicalPlan, utils::split_conjunction_owned};
use std::sync::Arc;

/// One input of a cluster.
#[derive(Debug)]
pub(super) struct Relation {
    /// Its rows; for a reducer the right input of the semi or anti join.
    pub plan: LogicalPlan,
    /// None: its columns are part of the cluster's rows.
    pub reducer: Option<Reducer>,
}

/// A semi or anti join whose left side is the cluster: it only drops rows.
#[derive(Debug)]
pub(super) struct Reducer {
    /// [`JoinType::LeftSemi`] or [`JoinType::LeftAnti`].
    pub join_type: JoinType,
    /// Keys: over the cluster's relations, over the reducer's plan.
    pub on: Vec<(Expr, Expr)>,
    /// What must hold besides for a pair of rows.
    pub filter: Option<Expr>,
    pub null_equality: NullEquality,
    pub null_aware: bool,
}

/// A cluster in pieces. All expressions are over the relations' own columns.
#[derive(Debug)]
pub(super) struct Pieces {
    pub relations: Vec<Relation>,
    pub conjuncts: Vec<Expr>,
    /// For each column of the node taken apart, the relation's column it is.
    pub outputs: Vec<Column>,
    /// Whether a renaming was looked through, so that names may clash with the other side's.
    renamed: bool,
}

/// Whether a cluster starts here.
pub(super) fn is_root(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Join(join) => is_member(join),
        LogicalPlan::Filter(filter) => {
            !filter.predicate.is_volatile() && matches!(&*filter.input, LogicalPlan::Join(join) if is_member(join))
        }
        _ => false,
    }
}

/// Whether a projection above a cluster passes columns on under their own names and nothing else.
pub(super) fn only_drops(node: &Projection) -> bool {
    node.expr.iter().all(|expr| matches!(expr, Expr::Column(_))) && is_root(&node.input)
}

fn is_member(join: &Join) -> bool {
    let volatile = |expr: &Expr| expr.is_volatile();
    if join.on.iter().any(|(l, r)| volatile(l) || volatile(r)) || join.filter.as_ref().is_some_and(volatile) {
        return false;
    }
    match join.join_type {
        JoinType::Inner => join.null_equality == NullEquality::NullEqualsNothing,
        JoinType::LeftSemi | JoinType::LeftAnti => {
            // Without a left column there is nothing to attach it to.
            let left = join.left.schema();
            let refers = |expr: &Expr| expr.column_refs().into_iter().any(|column| left.has_column(column));
            join.on.iter().any(|(l, _)| refers(l)) || join.filter.as_ref().is_some_and(refers)
        }
        _ => false,
    }
}

/// Takes `plan` apart as far as it is a cluster; a plan that is none is one relation.
pub(super) fn flatten(plan: LogicalPlan) -> Result<Pieces> {
    stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, || flatten_node(plan))
}

fn flatten_node(plan: LogicalPlan) -> Result<Pieces> {
    match &plan {
        LogicalPlan::Join(join) if is_member(join) && join.join_type == JoinType::Inner => flatten_inner(plan),
        LogicalPlan::Join(join) if is_member(join) => flatten_reducer(plan),
        LogicalPlan::Filter(filter) if !filter.predicate.is_volatile() => {
            let LogicalPlan::Filter(filter) = subqueries(plan)? else {
                return Err(crate::Error::internal("a filter became something else"));
            };
            let schema = filter.input.schema().clone();
            let mut pieces = flatten(Arc::unwrap_or_clone(filter.input))?;
            pieces.add(split_conjunction_owned(filter.predicate), &schema)?;
            Ok(pieces)
        }
        LogicalPlan::Projection(projection) if leads_to_join(&plan) => {
            let pieces = flatten((*projection.input).clone())?;
            let schema = projection.input.schema();
            let mut outputs = Vec::with_capacity(projection.expr.len());
            for column in projection.expr.iter().filter_map(plain_column) {
                outputs.push(pieces.output(column, schema)?);
            }
            let renamed = pieces.renamed || projection.expr.iter().any(|expr| matches!(expr, Expr::Alias(_)));
            Ok(Pieces { outputs, renamed, ..pieces })
        }
        LogicalPlan::SubqueryAlias(alias) if leads_to_join(&plan) => {
            let pieces = flatten((*alias.input).clone())?;
            Ok(Pieces { renamed: true, ..pieces })
        }
        _ => leaf(plan),
    }
}

fn flatten_inner(plan: LogicalPlan) -> Result<Pieces> {
    let LogicalPlan::Join(join) = subqueries(plan)? else {
        return Err(crate::Error::internal("a join became something else"));
    };
    let mut left = flatten((*join.left).clone())?;
    let mut right = flatten((*join.right).clone())?;
    if clash(&left, &right) {
        // Looked through a renaming on one side, a name means two things: keep that side whole.
        let (whole_left, whole_right) = (left.renamed, right.renamed);
        if whole_left {
            left = leaf((*join.left).clone())?;
        }
        if whole_right || !whole_left {
            right = leaf((*join.right).clone())?;
        }
        if clash(&left, &right) {
            left = leaf((*join.left).clone())?;
            right = leaf((*join.right).clone())?;
        }
    }
    left.relations.append(&mut right.relations);
    left.conjuncts.append(&mut right.conjuncts);
    left.outputs.append(&mut right.outputs);
    left.renamed |= right.renamed;
    let keys = join.on.into_iter().map(|(l, r)| l.eq(r));
    left.add(keys.chain(join.filter.into_iter().flat_map(split_conjunction_owned)).collect(), &join.schema)?;
    Ok(left)
}

fn flatten_reducer(plan: LogicalPlan) -> Result<Pieces> {
    let original = plan.clone();
    let LogicalPlan::Join(join) = subqueries(plan)? else {
        return Err(crate::Error::internal("a join became something else"));
    };
    let left_schema = join.left.schema().clone();
    let mut pieces = flatten((*join.left).clone())?;
    let right = leaf((*join.right).clone())?;
    if clash(&pieces, &right) {
        return whole(inside(original, Columns::Fixed)?);
    }
    let mut on = Vec::with_capacity(join.on.len());
    for (l, r) in join.on {
        on.push((pieces.rewrite(l, &left_schema)?, r));
    }
    let filter = join.filter.map(|filter| pieces.rewrite(filter, &left_schema)).transpose()?;
    let reducer =
        Reducer { join_type: join.join_type, on, filter, null_equality: join.null_equality, null_aware: join.null_aware };
    pieces.relations.extend(right.relations.into_iter().map(|relation| Relation { plan: relation.plan, reducer: None }));
    if let Some(last) = pieces.relations.last_mut() {
        last.reducer = Some(reducer);
    }
    Ok(pieces)
}

/// Whether below renamings and filters there is a join of the cluster. Looking through renamings of
/// a single table would only make its names clash with the same table elsewhere.
fn leads_to_join(mut plan: &LogicalPlan) -> bool {
    loop {
        plan = match plan {
            LogicalPlan::Projection(node) if node.expr.iter().all(|expr| plain_column(expr).is_some()) => &node.input,
            LogicalPlan::SubqueryAlias(node) => &node.input,
            LogicalPlan::Filter(node) if !node.predicate.is_volatile() => &node.input,
            LogicalPlan::Join(join) => return is_member(join),
            _ => return false,
        }
    }
}

/// The column a projected expression is, renamed or not.
fn plain_column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => plain_column(&alias.expr),
        _ => None,
    }
}

/// `plan` as one relation, with the clusters inside it reordered on their own.
fn leaf(plan: LogicalPlan) -> Result<Pieces> {
    whole(join_order(plan)?)
}

/// `plan`, done with, as one relation.
fn whole(plan: LogicalPlan) -> Result<Pieces> {
    let outputs = plan.schema().columns();
    Ok(Pieces { relations: vec![Relation { plan, reducer: None }], conjuncts: vec![], outputs, renamed: false })
}

/// Whether a column of one side could be taken for one of the other's.
fn clash(left: &Pieces, right: &Pieces) -> bool {
    let names = |pieces: &Pieces| -> Vec<Column> {
        pieces.relations.iter().flat_map(|relation| relation.plan.schema().columns()).collect()
    };
    let left: std::collections::HashSet<Column> = names(left).into_iter().collect();
    names(right).iter().any(|column| left.contains(column))
}

impl Pieces {
    fn add(&mut self, conjuncts: Vec<Expr>, schema: &DFSchema) -> Result<()> {
        for conjunct in conjuncts {
            let conjunct = self.rewrite(conjunct, schema)?;
            self.conjuncts.push(conjunct);
        }
        Ok(())
    }

    /// `expr`, written over `schema`, over the relations' columns. Columns of others stay.
    fn rewrite(&self, expr: Expr, schema: &DFSchema) -> Result<Expr> {
        let rewritten = expr.transform(|expr| match &expr {
            Expr::Column(column) => match schema.maybe_index_of_column(column).and_then(|at| self.outputs.get(at)) {
                Some(own) if own != column => Ok(Transformed::yes(Expr::Column(own.clone()))),
                _ => Ok(Transformed::no(expr)),
            },
            _ => Ok(Transformed::no(expr)),
        })?;
        Ok(rewritten.data)
    }

    fn output(&self, column: &Column, schema: &DFSchema) -> Result<Column> {
        let own = schema.maybe_index_of_column(column).and_then(|at| self.outputs.get(at));
        own.cloned().ok_or_else(|| crate::Error::internal(format!("column {} got lost in a join cluster", column.flat_name())))
    }
}
