//! Expressions without columns are computed once, while planning, by our own kernels.
//!
//! DataFusion folds constants as well, but by Arrow's casts and texts, which are not Spark's:
//! `CAST(1e7 AS STRING)` would be `10000000.0` as a constant and `1.0E7` in a row. So this rule
//! stands before its simplifier in every round and leaves it nothing to compute.
//!
//! ```text
//!   CASE WHEN x > 1 + 1 THEN CAST('a' AS INT) END
//!             x > 2          a call that fails when a row gets there
//! ```
//!
//! Bottom up: a node whose inputs are literals becomes a literal. One that fails (a bad cast, a
//! division by zero) becomes a call that fails with the same error, because whether any row gets
//! there is only known at run time. Cost: one visit a node. NULL is a value like any other here.

use crate::column::{Chunk, to_plan_type};
use crate::error::{Error, ErrorKind, Result};
use crate::expr::{Slots, compile};
use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DataFusionError, Result as PlanResult, ScalarValue};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The rule, for DataFusion's driver.
#[derive(Debug)]
pub(super) struct FoldConstants;

impl FoldConstants {
    /// As tables of rules call it.
    pub(super) const NAME: &str = "fold_constants";
}

impl OptimizerRule for FoldConstants {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> PlanResult<Transformed<LogicalPlan>> {
        // Looking is much cheaper than rewriting, and most plans have nothing to fold after the first round.
        let mut found = false;
        plan.apply_expressions(|expr| {
            expr.apply(|part| {
                found |= is_stable_call(part) || is_foldable(part)?;
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        if !found {
            return Ok(Transformed::no(plan));
        }
        let preserver = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = preserver.save(&expr);
            Ok(expr.transform_up(|expr| fold(expr, config))?.update_data(|expr| name.restore(expr)))
        })
    }
}

fn fold(expr: Expr, config: &dyn OptimizerConfig) -> PlanResult<Transformed<Expr>> {
    let expr = match at_start_of_query(expr, config)? {
        fixed if fixed.transformed => return Ok(fixed),
        other => other.data,
    };
    if !is_foldable(&expr)? {
        return Ok(Transformed::no(expr));
    }
    match value_of(&expr) {
        Ok(value) => Ok(Transformed::yes(Expr::Literal(value, None))),
        Err(error) if error.kind() == ErrorKind::Value => {
            let failing = Failing {
                name: expr.to_string(),
                data_type: expr.get_type(&DFSchema::empty())?,
                error: error.to_string(),
                hint: error.hint().map(str::to_owned),
                signature: Signature::nullary(Volatility::Volatile),
            };
            let call = ScalarFunction::new_udf(std::sync::Arc::new(ScalarUDF::new_from_impl(failing)), Vec::new());
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        // What our kernels do not know is left to others.
        Err(_) => Ok(Transformed::no(expr)),
    }
}

/// `now()` and its kin stand for one time during the whole query.
fn at_start_of_query(expr: Expr, config: &dyn OptimizerConfig) -> PlanResult<Transformed<Expr>> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) if args.is_empty() && is_stable(&func) => {
            let context = SimplifyContext::builder()
                .with_config_options(config.options())
                .with_query_execution_start_time(config.query_execution_start_time())
                .build();
            Ok(match func.simplify(args, &context)? {
                ExprSimplifyResult::Simplified(fixed) => Transformed::yes(fixed),
                ExprSimplifyResult::Original(args) => Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })),
            })
        }
        other => Ok(Transformed::no(other)),
    }
}

fn is_stable_call(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.args.is_empty() && is_stable(&call.func))
}

fn is_stable(function: &ScalarUDF) -> bool {
    function.signature().volatility == Volatility::Stable
}

fn is_foldable(expr: &Expr) -> PlanResult<bool> {
    let is_computed = match expr {
        Expr::ScalarFunction(call) => call.func.signature().volatility == Volatility::Immutable,
        Expr::BinaryExpr(_)
        | Expr::Not(_)
        | Expr::Negative(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::InList(_)
        | Expr::Like(_) => true,
        _ => false,
    };
    if !is_computed {
        return Ok(false);
    }
    let mut literals = true;
    expr.apply_children(|child| {
        literals &= matches!(child, Expr::Literal(..));
        Ok(if literals { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(literals)
}

fn value_of(expr: &Expr) -> Result<ScalarValue> {
    let nothing = DFSchema::empty();
    let data_type = expr.get_type(&nothing)?;
    let column = compile(expr, &nothing, &Slots::default())?.evaluate(&Chunk::new(Vec::new(), 1))?;
    let array = to_plan_type(&column.flat()?, &data_type)?;
    let value = ScalarValue::try_from_array(&array, 0)?;
    if value.data_type() == data_type { Ok(value) } else { Err(Error::internal(format!("{expr} is no {data_type}"))) }
}

/// Fails with an error found while planning, when a row is computed.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Failing {
    name: String,
    data_type: DataType,
    error: String,
    hint: Option<String>,
    signature: Signature,
}

impl ScalarUDFImpl for Failing {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> PlanResult<DataType> {
        Ok(self.data_type.clone())
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let error = Error::value(self.error.clone());
        let error = match &self.hint {
            Some(hint) => error.with_hint(hint.clone()),
            None => error,
        };
        Err(DataFusionError::External(Box::new(error)))
    }
}
