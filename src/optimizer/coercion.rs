//! DOUBLE wins over DECIMAL, as in Spark: before the borrowed coercion, which would have it the
//! other way round and fail on NaN, the decimals beside a float become DOUBLE.
//!
//! It holds for comparisons, BETWEEN, IN lists, the branches of CASE, and functions that give one
//! of their arguments. The columns of a UNION come to the types that Spark gives them, where the
//! borrowed coercion would make texts of numbers and lose the zone of points in time.

use crate::error::Result;
use crate::expr::common_type;
use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, Result as PlanResult, ScalarValue};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::logical_plan::{Projection, Union};
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, cast};
use std::cell::Cell;
use std::sync::Arc;

/// Functions whose arguments, from the given one on, are of one type with the result.
const ALIKE: &[(&str, usize)] =
    &[("coalesce", 0), ("nvl", 0), ("nvl2", 1), ("if", 1), ("greatest", 0), ("least", 0), ("nullif", 0)];

/// Casts decimals to DOUBLE where they meet floats.
pub(super) fn floats_win(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = Cell::new(false);
    Ok(plan.transform_up_with_subqueries(|plan| node(plan, &changed))?.data)
}

/// `changed`: whether a type may have changed here or below.
fn node(plan: LogicalPlan, changed: &Cell<bool>) -> PlanResult<Transformed<LogicalPlan>> {
    if let LogicalPlan::Union(union) = plan {
        let alike = alike(union)?;
        changed.set(changed.get() || alike.transformed);
        return if changed.get() { alike.map_data(LogicalPlan::recompute_schema) } else { Ok(alike) };
    }
    let inputs = plan.inputs();
    let merged;
    let schema = match inputs.as_slice() {
        [input] => input.schema().as_ref(),
        inputs => {
            merged = merge_schema(inputs);
            &merged
        }
    };
    // A name is asked for only if something under it changes: making it takes longer than looking.
    let mut meets = false;
    plan.apply_expressions(|expr| {
        expr.apply(|expr| {
            meets |= operands_meet(expr, schema)?;
            Ok(if meets { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    let mapped = if meets {
        let schema = schema.clone();
        let preserver = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = preserver.save(&expr);
            Ok(expr.transform_up(|expr| each(expr, &schema))?.update_data(|expr| name.restore(expr)))
        })?
    } else {
        Transformed::no(plan)
    };
    changed.set(changed.get() || mapped.transformed);
    if changed.get() { mapped.map_data(LogicalPlan::recompute_schema) } else { Ok(mapped) }
}

/// A UNION whose inputs are cast to common types, where those are not of nested values.
fn alike(union: Union) -> PlanResult<Transformed<LogicalPlan>> {
    let types = |input: &LogicalPlan| input.schema().fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    let given: Vec<Vec<DataType>> = union.inputs.iter().map(|input| types(input)).collect();
    let Some((first, others)) = given.split_first() else { return Ok(Transformed::no(LogicalPlan::Union(union))) };
    let text_or_nested = |data_type: &DataType| data_type.is_string() || data_type.is_nested() || data_type.is_binary();
    let mut wanted = first.clone();
    for (at, wanted) in wanted.iter_mut().enumerate() {
        for other in others.iter().filter_map(|other| other.get(at)) {
            if !(text_or_nested(wanted) && text_or_nested(other))
                && let Some(common) = common_type(wanted, other)
            {
                *wanted = common;
            }
        }
    }
    let differs =
        |given: &[DataType]| given.iter().zip(&wanted).any(|(a, b)| a != b && !(text_or_nested(a) && text_or_nested(b)));
    if !given.iter().any(|given| differs(given)) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let mut inputs = Vec::with_capacity(union.inputs.len());
    for (input, given) in union.inputs.into_iter().zip(&given) {
        if !differs(given) {
            inputs.push(input);
            continue;
        }
        let columns = input.schema().columns().into_iter().zip(given).zip(&wanted);
        let exprs = columns.map(|((column, given), wanted)| match given == wanted {
            true => Expr::Column(column),
            false => cast(Expr::Column(column.clone()), wanted.clone()).alias_qualified(column.relation, column.name),
        });
        inputs.push(Arc::new(LogicalPlan::Projection(Projection::try_new(exprs.collect(), input)?)));
    }
    Ok(Transformed::yes(LogicalPlan::Union(Union { inputs, schema: union.schema })))
}

/// The operands of an expression that come to one type, to be looked at or to be changed.
macro_rules! operands {
    ($name:ident $($mutable:tt)?) => {
        fn $name(expr: &$($mutable)? Expr) -> Vec<&$($mutable)? Expr> {
            let mut found = Vec::new();
            match expr {
                Expr::BinaryExpr(binary) if binary.op.supports_propagation() => {
                    found.extend([&$($mutable)? *binary.left, &$($mutable)? *binary.right]);
                }
                Expr::Between(between) => {
                    found.extend([&$($mutable)? *between.expr, &$($mutable)? *between.low, &$($mutable)? *between.high]);
                }
                Expr::InList(list) => {
                    found.push(&$($mutable)? *list.expr);
                    found.extend(&$($mutable)? list.list);
                }
                Expr::Case(case) => {
                    for (_, then) in &$($mutable)? case.when_then_expr {
                        found.push(&$($mutable)? **then);
                    }
                    if let Some(otherwise) = &$($mutable)? case.else_expr {
                        found.push(&$($mutable)? **otherwise);
                    }
                }
                Expr::ScalarFunction(call) => {
                    if let Some((_, from)) = ALIKE.iter().find(|(name, _)| *name == call.func.name()) {
                        let from = (*from).min(call.args.len());
                        for arg in &$($mutable)? call.args[from..] {
                            found.push(arg);
                        }
                    }
                }
                _ => {}
            }
            found
        }
    };
}
operands!(operands);
operands!(operands_mut mut);

fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..))
}

/// Whether decimals and floats are to come to one type here.
fn operands_meet(expr: &Expr, schema: &DFSchema) -> PlanResult<bool> {
    let operands = operands(expr);
    if operands.len() < 2 {
        return Ok(false);
    }
    let types = operands.into_iter().map(|operand| operand.get_type(schema)).collect::<PlanResult<Vec<_>>>()?;
    Ok(types.iter().any(DataType::is_floating) && types.iter().any(is_decimal))
}

fn each(mut expr: Expr, schema: &DFSchema) -> PlanResult<Transformed<Expr>> {
    if !operands_meet(&expr, schema)? {
        return Ok(Transformed::no(expr));
    }
    for operand in operands_mut(&mut expr) {
        if is_decimal(&operand.get_type(schema)?) {
            let taken = std::mem::replace(operand, Expr::Literal(ScalarValue::Null, None));
            *operand = double(taken);
        }
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
