//! ASOF joins: for each left row the right row that is nearest before it in some order.
//!
//! The problem: `l ASOF JOIN r ON l.k = r.k AND l.t >= r.t` wants for each row of l the row of r of
//! the same k with the largest t that is not above l's. The idea: sort both sides' rows together and
//! let each left row take what was last seen of the right side. It is a window over a union, so that
//! sorting, parallel partitions and spilling are those of windows.
//!
//! ```text
//!   k  t  side                       the last right row of k so far
//!   1  3  r: a                       a
//!   1  5  l: x     l.t >= r.t   ->   a     x joins a
//!   1  5  r: b                             rights first for >=, lefts first for >
//! ```
//!
//! `<=` and `<` sort the other way round. Cost: one sort of both sides by k and t. A right row with
//! NULL in k or t matches nothing and is left out before; a left one comes out unmatched.

use crate::error::Result;
use crate::operator::window_functions;
use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, Result as PlanResult, ScalarValue, TableReference, not_impl_err, plan_err};
use datafusion_expr::expr::{BinaryExpr, NullTreatment, ScalarFunction, WindowFunction};
use datafusion_expr::logical_plan::{Filter, Join, Projection, Union, Window};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{
    ColumnarValue, Expr, JoinType, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, SortExpr,
    Volatility, WindowFrame, WindowFrameBound, WindowFrameUnits, lit,
};
use std::sync::{Arc, LazyLock};

/// The name of the call that marks the inequality of an ASOF join.
pub const ASOF_MATCH: &str = "skep_asof_match";

/// The function of that name. It is never computed.
pub fn asof_match() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let signature = Signature::any(1, Volatility::Volatile);
        Arc::new(ScalarUDF::new_from_impl(Mark { signature }))
    });
    FUNCTION.clone()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Mark {
    signature: Signature,
}

impl ScalarUDFImpl for Mark {
    fn name(&self) -> &str {
        ASOF_MATCH
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        not_impl_err!("the condition of an ASOF JOIN at another place")
    }
}

/// Makes windows of the ASOF joins in a plan.
pub(super) fn resolve(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) if join.filter.as_ref().is_some_and(is_marked) => Ok(Transformed::yes(windowed(join)?)),
        node => Ok(Transformed::no(node)),
    })?;
    Ok(plan.data)
}

fn is_marked(expr: &Expr) -> bool {
    expr.exists(|part| Ok(matches!(part, Expr::ScalarFunction(call) if call.func.name() == ASOF_MATCH))).unwrap_or(false)
}

/// What an ASOF join compares.
struct Condition {
    /// Equal on both sides: left, right.
    keys: Vec<(Expr, Expr)>,
    left: Expr,
    right: Expr,
    /// `left op right`.
    op: Operator,
}

fn condition(join: &Join) -> PlanResult<Condition> {
    let (mut keys, mut order) = (join.on.clone(), None);
    for conjunct in join.filter.iter().cloned().flat_map(split_conjunction_owned) {
        let (compared, is_order) = match conjunct {
            Expr::ScalarFunction(ScalarFunction { func, mut args }) if func.name() == ASOF_MATCH && args.len() == 1 => {
                (args.swap_remove(0), true)
            }
            other => (other, false),
        };
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = compared else {
            return plan_err!("an ASOF JOIN compares columns of both sides, not {compared}");
        };
        let of = |expr: &Expr, side: &LogicalPlan| expr.column_refs().iter().all(|column| side.schema().has_column(column));
        let (left, op, right) = if of(&left, &join.left) && of(&right, &join.right) {
            (*left, op, *right)
        } else if let (true, Some(op)) = (of(&left, &join.right) && of(&right, &join.left), op.swap()) {
            (*right, op, *left)
        } else {
            return plan_err!("an ASOF JOIN compares columns of one side with columns of the other");
        };
        match (is_order, op) {
            (false, Operator::Eq) => keys.push((left, right)),
            (true, Operator::GtEq | Operator::Gt | Operator::LtEq | Operator::Lt) if order.is_none() => {
                order = Some((left, op, right));
            }
            (true, _) => return plan_err!("MATCH_CONDITION is one of >=, >, <=, <"),
            (false, op) => return plan_err!("an ASOF JOIN takes equalities and one inequality, not {op}"),
        }
    }
    match order {
        Some((left, op, right)) => Ok(Condition { keys, left, right, op }),
        None => plan_err!("an ASOF JOIN without an inequality"),
    }
}

fn windowed(join: Join) -> PlanResult<LogicalPlan> {
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        return not_impl_err!("a {} ASOF JOIN", join.join_type);
    }
    let Condition { keys, left: left_time, right: right_time, op } = condition(&join)?;
    let (left_columns, right_columns) = (join.left.schema().columns(), join.right.schema().columns());
    let descending = matches!(op, Operator::LtEq | Operator::Lt);
    let or_equal = matches!(op, Operator::GtEq | Operator::LtEq);
    // Of rows at one time the side with the smaller number is seen first.
    let (left_side, right_side) = if or_equal { (1, 0) } else { (0, 1) };
    let name = |what: &str, at: usize| format!("__asof_{what}{at}");

    // The right rows that can match.
    let present = keys.iter().map(|(_, key)| key).chain([&right_time]).map(|key| key.clone().is_not_null());
    let right = match conjunction(present) {
        Some(present) => Arc::new(LogicalPlan::Filter(Filter::try_new(present, join.right.clone())?)),
        None => join.right.clone(),
    };
    let row: Vec<Expr> =
        right_columns.iter().enumerate().flat_map(|(at, column)| [lit(format!("c{at}")), Expr::Column(column.clone())]).collect();
    let row = Expr::ScalarFunction(ScalarFunction::new_udf(datafusion_functions::core::named_struct(), row));
    let row_type = datafusion_expr::ExprSchemable::get_type(&row, right.schema())?;
    let null = |data_type: &DataType| ScalarValue::try_from(data_type).map(lit);

    let mut lefts = vec![lit(left_side).alias("__asof_side"), left_time.alias("__asof_time")];
    let mut rights = vec![lit(right_side).alias("__asof_side"), right_time.alias("__asof_time")];
    let width = keys.len();
    for (at, (left_key, right_key)) in keys.into_iter().enumerate() {
        lefts.push(left_key.alias(name("key", at)));
        rights.push(right_key.alias(name("key", at)));
    }
    for (at, (column, field)) in left_columns.iter().zip(join.left.schema().fields()).enumerate() {
        lefts.push(Expr::Column(column.clone()).alias(name("left", at)));
        rights.push(null(field.data_type())?.alias(name("left", at)));
    }
    lefts.push(null(&row_type)?.alias("__asof_row"));
    rights.push(row.alias("__asof_row"));
    let lefts = LogicalPlan::Projection(Projection::try_new(lefts, join.left.clone())?);
    let rights = LogicalPlan::Projection(Projection::try_new(rights, right)?);
    let both = LogicalPlan::Union(Union::try_new_with_loose_types(vec![Arc::new(lefts), Arc::new(rights)])?);

    let column = |name: String| Expr::Column(Column::from_name(name));
    let Some(last_value) = window_functions().into_iter().find(|function| function.name() == "last_value") else {
        return not_impl_err!("ASOF JOIN");
    };
    let mut call = WindowFunction::new(last_value, vec![column("__asof_row".into())]);
    call.params.partition_by = (0..width).map(|at| column(name("key", at))).collect();
    call.params.order_by = vec![
        SortExpr::new(column("__asof_time".into()), !descending, true),
        SortExpr::new(column("__asof_side".into()), true, true),
    ];
    let (start, end) = (WindowFrameBound::Preceding(ScalarValue::UInt64(None)), WindowFrameBound::CurrentRow);
    call.params.window_frame = WindowFrame::new_bounds(WindowFrameUnits::Rows, start, end);
    call.params.null_treatment = Some(NullTreatment::IgnoreNulls);
    let window = Window::try_new(vec![Expr::WindowFunction(Box::new(call))], Arc::new(both))?;
    let Some(found) = window.schema.columns().pop().map(Expr::Column) else { return not_impl_err!("ASOF JOIN") };
    // By a name, so that it is computed before it is asked for.
    let mut kept: Vec<Expr> = (0..left_columns.len()).map(|at| column(name("left", at))).collect();
    kept.push(column("__asof_side".into()));
    kept.push(found.alias("__asof_found"));
    let kept = LogicalPlan::Projection(Projection::try_new(kept, Arc::new(LogicalPlan::Window(window)))?);

    let found = column("__asof_found".into());
    let mut wanted = column("__asof_side".into()).eq(lit(left_side));
    if join.join_type == JoinType::Inner {
        wanted = wanted.and(found.clone().is_not_null());
    }
    let kept = Arc::new(LogicalPlan::Filter(Filter::try_new(wanted, Arc::new(kept))?));
    let named = |expr: Expr, column: &Column| -> Expr {
        let relation: Option<TableReference> = column.relation.clone();
        expr.alias_qualified(relation, column.name.clone())
    };
    let mut output: Vec<Expr> = Vec::with_capacity(left_columns.len() + right_columns.len());
    for (at, left) in left_columns.iter().enumerate() {
        output.push(named(column(name("left", at)), left));
    }
    for (at, right) in right_columns.iter().enumerate() {
        let field = vec![found.clone(), lit(format!("c{at}"))];
        let field = ScalarFunction::new_udf(datafusion_functions::core::get_field(), field);
        output.push(named(Expr::ScalarFunction(field), right));
    }
    Ok(LogicalPlan::Projection(Projection::try_new(output, kept)?))
}
