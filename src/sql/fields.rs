//! `array[0]`, `map['key']`, `struct['field']`.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion_expr::{Expr, ExprSchemable, GetFieldAccess, ScalarUDF};
use std::sync::Arc;

/// Plans access to items of arrays and values of maps by a function; fields of structs it leaves to
/// the borrowed planner.
#[derive(Debug)]
pub struct ItemAccess(pub Arc<ScalarUDF>);

impl ExprPlanner for ItemAccess {
    fn plan_field_access(&self, raw: RawFieldAccessExpr, schema: &DFSchema) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let of = raw.expr.get_type(schema)?;
        let key = match (&raw.field_access, of) {
            (GetFieldAccess::ListIndex { key }, DataType::List(_) | DataType::Map(..)) => key.as_ref().clone(),
            (GetFieldAccess::NamedStructField { name }, DataType::Map(..)) => Expr::Literal(name.clone(), None),
            // A constant text between brackets names a field of a struct.
            (GetFieldAccess::ListIndex { key }, DataType::Struct(_)) => match key.as_ref() {
                Expr::Literal(name @ (ScalarValue::Utf8(_) | ScalarValue::Utf8View(_)), _) => {
                    let field_access = GetFieldAccess::NamedStructField { name: name.clone() };
                    return Ok(PlannerResult::Original(RawFieldAccessExpr { field_access, expr: raw.expr }));
                }
                _ => return Ok(PlannerResult::Original(raw)),
            },
            _ => return Ok(PlannerResult::Original(raw)),
        };
        Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(self.0.clone(), vec![raw.expr, key]))))
    }
}
