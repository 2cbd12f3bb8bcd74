//! The distinct values that outer rows give to a subquery.

use super::Unnester;
use arrow::datatypes::FieldRef;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, Result};
use datafusion_expr::logical_plan::{Distinct, Projection};
use datafusion_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use std::sync::Arc;

/// A domain: outer columns and a plan of their distinct values.
pub(super) struct Domain {
    /// The outer columns, as the subquery names them.
    pub(super) outer: Vec<Column>,
    fields: Vec<FieldRef>,
    values: Arc<LogicalPlan>,
}

/// A plan that has a domain's columns among its own.
pub(super) struct Keyed {
    pub(super) plan: LogicalPlan,
    /// The domain's columns in the plan, in the domain's order.
    pub(super) keys: Vec<Column>,
}

impl Domain {
    /// The values of `outer` in the rows of `input`, which has all of these columns.
    pub(super) fn new(input: &Arc<LogicalPlan>, outer: Vec<Column>, unnester: &Unnester) -> Result<Self> {
        let mut exprs = Vec::with_capacity(outer.len());
        let mut fields = Vec::with_capacity(outer.len());
        for column in &outer {
            let (_, field) = input.schema().qualified_field_from_column(column)?;
            fields.push(field.clone());
            exprs.push(Expr::Column(column.clone()).alias(unnester.name("domain")));
        }
        let values = LogicalPlan::Projection(Projection::try_new(exprs, input.clone())?);
        let values = Arc::new(LogicalPlan::Distinct(Distinct::All(Arc::new(values))));
        Ok(Self { outer, fields, values })
    }

    /// The values under names of their own, so that they can stand several times in one plan.
    pub(super) fn rows(&self, unnester: &Unnester) -> Result<Keyed> {
        let names: Vec<String> = self.outer.iter().map(|_| unnester.name("key")).collect();
        let columns = self.values.schema().columns().into_iter().zip(&names);
        let exprs = columns.map(|(column, name)| Expr::Column(column).alias(name)).collect();
        let plan = LogicalPlan::Projection(Projection::try_new(exprs, self.values.clone())?);
        Ok(Keyed { plan, keys: names.into_iter().map(Column::from_name).collect() })
    }

    /// Whether a plan's own expressions or those below refer to the domain.
    pub(super) fn is_used_in(&self, plan: &LogicalPlan) -> Result<bool> {
        Ok(super::outer_columns(plan)?.iter().any(|column| self.outer.contains(column)))
    }

    /// Whether an expression refers to the domain.
    pub(super) fn is_used_by(&self, expr: &Expr) -> bool {
        let is_ours = |part: &Expr| matches!(part, Expr::OuterReferenceColumn(_, column) if self.outer.contains(column));
        expr.exists(|part| Ok(is_ours(part))).unwrap_or(false)
    }

    /// `expr` with `keys` for the outer columns.
    pub(super) fn resolve(&self, expr: Expr, keys: &[Column]) -> Result<Expr> {
        if !self.is_used_by(&expr) {
            return Ok(expr);
        }
        let resolved = expr.transform(|part| match &part {
            Expr::OuterReferenceColumn(_, column) => match self.outer.iter().position(|outer| outer == column) {
                Some(at) => Ok(Transformed::yes(Expr::Column(keys[at].clone()))),
                None => Ok(Transformed::no(part)),
            },
            _ => Ok(Transformed::no(part)),
        })?;
        Ok(resolved.data)
    }

    /// That rows belong together: `left <=> right` for every column.
    pub(super) fn equal(&self, left: &[Column], right: &[Column]) -> Option<Expr> {
        let pairs = left.iter().zip(right).zip(&self.fields).map(|((left, right), field)| {
            // Without NULLs the two are the same, and every join knows `=`.
            let op = if field.is_nullable() { Operator::IsNotDistinctFrom } else { Operator::Eq };
            let (left, right) = (Expr::Column(left.clone()), Expr::Column(right.clone()));
            Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
        });
        datafusion_expr::utils::conjunction(pairs)
    }
}

/// The columns of `keys` as expressions.
pub(super) fn columns(keys: &[Column]) -> impl Iterator<Item = Expr> + '_ {
    keys.iter().cloned().map(Expr::Column)
}
