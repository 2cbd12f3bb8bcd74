//! What an aggregate gives for no rows.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result, ScalarValue, not_impl_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{Expr, ExprSchemable, lit};

/// Aggregates that are 0 for no rows.
const ZERO: &[&str] = &["count", "count_if", "approx_count_distinct", "approx_distinct", "regr_count"];
/// Aggregates that are an empty array for no rows.
const EMPTY: &[&str] = &["collect_list", "collect_set", "array_agg"];

/// `value`, a column of what `call` aggregates to, where that is NULL for want of rows.
///
/// # Errors
/// Where it is not known what the aggregate gives for no rows.
pub(super) fn or_empty_value(value: Expr, call: &Expr, schema: &DFSchema) -> Result<Expr> {
    let function = match call.clone().unalias() {
        Expr::AggregateFunction(function) => function.func,
        other => return not_impl_err!("{other} in a correlated subquery"),
    };
    let name = function.name();
    let empty = if ZERO.contains(&name) {
        ScalarValue::new_zero(&value.get_type(schema)?)?
    } else if EMPTY.contains(&name) {
        match value.get_type(schema)? {
            DataType::List(item) => ScalarValue::List(ScalarValue::new_list_nullable(&[], item.data_type())),
            other => return not_impl_err!("{name} of {other} in a correlated subquery"),
        }
    } else {
        return Ok(value);
    };
    let coalesce = datafusion_functions::core::coalesce();
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(coalesce, vec![value, lit(empty)])))
}
