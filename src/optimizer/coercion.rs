//! DOUBLE wins over DECIMAL, as in Spark: before the borrowed coercion, which would have it the
//! other way round and fail on NaN, the decimals beside a float become DOUBLE.
//!
//! It holds for comparisons, BETWEEN, IN lists, the branches of CASE, and functions that give one
//! of their arguments.

use crate::error::Result;
use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, Result as PlanResult, ScalarValue};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, cast};

/// Functions whose arguments, from the given one on, are of one type with the result.
const ALIKE: &[(&str, usize)] =
    &[("coalesce", 0), ("nvl", 0), ("nvl2", 1), ("if", 1), ("greatest", 0), ("least", 0), ("nullif", 0)];

/// Casts decimals to DOUBLE where they meet floats.
pub(super) fn floats_win(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(node)?.data)
}

fn node(plan: LogicalPlan) -> PlanResult<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    let preserver = NamePreserver::new(&plan);
    let mapped = plan.map_expressions(|expr| {
        let name = preserver.save(&expr);
        Ok(expr.transform_up(|expr| each(expr, &schema))?.update_data(|expr| name.restore(expr)))
    })?;
    // A type may have changed here or below.
    mapped.map_data(LogicalPlan::recompute_schema)
}

fn each(mut expr: Expr, schema: &DFSchema) -> PlanResult<Transformed<Expr>> {
    let mut operands: Vec<&mut Expr> = match &mut expr {
        Expr::BinaryExpr(binary) if binary.op.supports_propagation() => vec![binary.left.as_mut(), binary.right.as_mut()],
        Expr::Between(between) => vec![between.expr.as_mut(), between.low.as_mut(), between.high.as_mut()],
        Expr::InList(list) => std::iter::once(list.expr.as_mut()).chain(&mut list.list).collect(),
        Expr::Case(case) => {
            let branches = case.when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
            branches.chain(case.else_expr.iter_mut().map(Box::as_mut)).collect()
        }
        Expr::ScalarFunction(call) => match ALIKE.iter().find(|(name, _)| *name == call.func.name()) {
            Some((_, from)) => call.args.iter_mut().skip(*from).collect(),
            None => return Ok(Transformed::no(expr)),
        },
        _ => return Ok(Transformed::no(expr)),
    };
    if operands.len() < 2 {
        return Ok(Transformed::no(expr));
    }
    let types = operands.iter().map(|operand| operand.get_type(schema)).collect::<PlanResult<Vec<_>>>()?;
    let is_decimal = |data_type: &DataType| matches!(data_type, DataType::Decimal128(..));
    if !types.iter().any(DataType::is_floating) || !types.iter().any(is_decimal) {
        return Ok(Transformed::no(expr));
    }
    for (operand, _) in operands.iter_mut().zip(&types).filter(|(_, data_type)| is_decimal(data_type)) {
        let taken = std::mem::replace(&mut **operand, Expr::Literal(ScalarValue::Null, None));
        **operand = double(taken);
    }
    Ok(Transformed::yes(expr))
}

/// A decimal as DOUBLE; a literal at once, from its digits.
fn double(expr: Expr) -> Expr {
    if let Expr::Literal(ScalarValue::Decimal128(Some(value), _, scale), _) = &expr
        && let Ok(value) = format!("{value}e{}", -i32::from(*scale)).parse::<f64>()
    {
        return Expr::Literal(ScalarValue::Float64(Some(value)), None);
    }
    cast(expr, DataType::Float64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;
    use datafusion_expr::{col, lit, when};
    use std::sync::Arc;

    #[test]
    fn decimals_beside_floats_become_doubles() {
        let fields = [("f", DataType::Float64), ("d", DataType::Decimal128(9, 2)), ("i", DataType::Int32)];
        let fields = fields.into_iter().map(|(name, data_type)| (None, Arc::new(Field::new(name, data_type, true))));
        let schema = DFSchema::new_with_metadata(fields.collect(), Default::default()).unwrap();
        let tenth = || lit(ScalarValue::Decimal128(Some(1), 2, 1));
        let cases = [
            (col("f").eq(tenth()), "f = Float64(0.1)"),
            (col("f").between(col("d"), lit(2)), "f BETWEEN CAST(d AS Float64) AND Int32(2)"),
            (col("f").in_list(vec![tenth()], false), "f IN ([Float64(0.1)])"),
            (col("d").gt(tenth()), "d > Decimal128(0.1,2,1)"),
            (
                when(col("i").gt(lit(1)), col("f")).otherwise(tenth()).unwrap(),
                "CASE WHEN i > Int32(1) THEN f ELSE Float64(0.1) END",
            ),
        ];
        for (expr, expected) in cases {
            let found = expr.transform_up(|expr| each(expr, &schema)).unwrap().data;
            assert_eq!(found.to_string(), expected);
        }
    }
}
