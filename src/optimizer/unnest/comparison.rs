//! `x < ANY (SELECT y ..)` and `x < ALL (SELECT y ..)`, spelled out.
//!
//! ```text
//!   x < ANY (..)    CASE WHEN EXISTS (.. WHERE x < y)            THEN TRUE
//!                        WHEN EXISTS (.. WHERE (x < y) IS NULL)  THEN NULL
//!                        ELSE FALSE END
//!   x < ALL (..)    CASE WHEN EXISTS (.. WHERE NOT (x < y))      THEN FALSE
//!                        WHEN EXISTS (.. WHERE (x < y) IS NULL)  THEN NULL
//!                        ELSE TRUE END
//! ```

use crate::optimizer::subquery::{exists, outer};
use datafusion_common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion_expr::expr::{BinaryExpr, SetComparison, SetQuantifier};
use datafusion_expr::{Expr, lit};

/// The value of a comparison with the rows of a subquery.
pub(super) fn as_exists(comparison: SetComparison, schema: &DFSchema) -> Result<Expr> {
    let SetComparison { expr, subquery, op, quantifier } = comparison;
    let Some(y) = subquery.subquery.schema().columns().into_iter().next().map(Expr::Column) else {
        return plan_err!("a comparison with a subquery without a column");
    };
    let x = outer(&expr, schema)?;
    let compared = Expr::BinaryExpr(BinaryExpr::new(Box::new(x.clone()), op, Box::new(y)));
    let (decisive, decided) = match quantifier {
        SetQuantifier::Any => (compared.clone(), true),
        SetQuantifier::All => (Expr::Not(Box::new(compared.clone())), false),
    };
    let decisive = exists(&subquery, decisive, &x, false)?;
    let unknown = exists(&subquery, compared.is_null(), &x, false)?;
    datafusion_expr::when(decisive, lit(decided)).when(unknown, lit(ScalarValue::Boolean(None))).otherwise(lit(!decided))
}
