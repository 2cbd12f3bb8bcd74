//! Distances of RANGE frames over dates: a number means days, as in Spark; the borrowed coercion,
//! which runs later, would take it for seconds. Over timestamps a bare number is refused.
//!
//! Functions that come to be the same are computed once, before the borrowed search for common
//! expressions finds them: it would pull them out into a projection, which cannot compute them.

use crate::error::Result;
use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Result as PlanResult, ScalarValue, plan_err};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::logical_plan::{Projection, Window};
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, WindowFrame, WindowFrameBound, WindowFrameUnits};
use std::sync::Arc;

/// Says what the numbers in frames over dates are.
pub(super) fn date_distances(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(node)?.data)
}

fn node(plan: LogicalPlan) -> PlanResult<Transformed<LogicalPlan>> {
    if !matches!(plan, LogicalPlan::Window(_)) {
        return Ok(Transformed::no(plan));
    }
    let schema = merge_schema(&plan.inputs());
    let preserver = NamePreserver::new(&plan);
    let each = |expr: Expr| -> PlanResult<Transformed<Expr>> {
        let Expr::WindowFunction(mut function) = expr else { return Ok(Transformed::no(expr)) };
        let params = &mut function.params;
        let key = match params.order_by.first() {
            Some(key) if params.window_frame.units == WindowFrameUnits::Range => key.expr.get_type(&schema)?,
            _ => return Ok(Transformed::no(Expr::WindowFunction(function))),
        };
        if !matches!(key, DataType::Date32 | DataType::Timestamp(..)) {
            return Ok(Transformed::no(Expr::WindowFunction(function)));
        }
        let frame = &params.window_frame;
        let (start, end) = (bound(&frame.start_bound, &key)?, bound(&frame.end_bound, &key)?);
        params.window_frame = WindowFrame::new_bounds(frame.units, start, end);
        Ok(Transformed::yes(Expr::WindowFunction(function)))
    };
    plan.map_expressions(|expr| {
        let name = preserver.save(&expr);
        Ok(expr.transform_up(each)?.update_data(|expr| name.restore(expr)))
    })
}

/// Computes each function of a window node once, however many columns want it.
pub(super) fn once_each(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(without_repetition)?.data)
}

fn without_repetition(plan: LogicalPlan) -> PlanResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Window(window) = plan else { return Ok(Transformed::no(plan)) };
    let bare = |expr: &Expr| expr.clone().unalias_nested().data;
    let all: Vec<Expr> = window.window_expr.iter().map(bare).collect();
    let first = |expr: &Expr| all.iter().position(|known| known == expr).unwrap_or(0);
    if all.iter().enumerate().all(|(at, expr)| first(expr) == at) {
        return Ok(Transformed::no(LogicalPlan::Window(window)));
    }
    let columns = window.schema.columns();
    let width = columns.len() - all.len();
    let mut projected: Vec<Expr> = columns[..width].iter().cloned().map(Expr::Column).collect();
    for (expr, column) in all.iter().zip(&columns[width..]) {
        let computed = Expr::Column(columns[width + first(expr)].clone());
        projected.push(computed.alias_qualified(column.relation.clone(), column.name.clone()));
    }
    let exprs = window.window_expr.iter().enumerate().filter(|(at, _)| first(&all[*at]) == *at);
    let kept = Window::try_new(exprs.map(|(_, expr)| expr.clone()).collect(), window.input.clone())?;
    let projection = Projection::try_new(projected, Arc::new(LogicalPlan::Window(kept)))?;
    Ok(Transformed::yes(LogicalPlan::Projection(projection)))
}

fn bound(bound: &WindowFrameBound, key: &DataType) -> PlanResult<WindowFrameBound> {
    let value = |value: &ScalarValue| match value {
        ScalarValue::Utf8(Some(text)) if text.trim().parse::<f64>().is_ok() => match key {
            DataType::Date32 => Ok(ScalarValue::Utf8(Some(format!("{text} days")))),
            _ => plan_err!("the distance {text} between timestamps needs a unit"),
        },
        other => Ok(other.clone()),
    };
    Ok(match bound {
        WindowFrameBound::Preceding(distance) => WindowFrameBound::Preceding(value(distance)?),
        WindowFrameBound::CurrentRow => WindowFrameBound::CurrentRow,
        WindowFrameBound::Following(distance) => WindowFrameBound::Following(value(distance)?),
    })
}
