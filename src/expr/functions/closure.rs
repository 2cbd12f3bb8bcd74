//! Scalar functions that the library's user gives as closures.

use crate::error::{Error, Result};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::DataFusionError;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One array per argument in, one array of the same length out.
pub type Closure = dyn Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync;

/// A function `name(arguments) -> returns` that calls `closure`. Arguments are coerced to the given
/// types, constants repeated for every row.
pub fn from_closure(name: &str, arguments: Vec<DataType>, returns: DataType, closure: Arc<Closure>) -> Arc<ScalarUDF> {
    let signature = match arguments.is_empty() {
        true => Signature::nullary(Volatility::Immutable),
        false => Signature::exact(arguments, Volatility::Immutable),
    };
    Arc::new(ScalarUDF::new_from_impl(ClosureFunction { name: name.to_lowercase(), signature, returns, closure }))
}

struct ClosureFunction {
    name: String,
    signature: Signature,
    returns: DataType,
    closure: Arc<Closure>,
}

impl ScalarUDFImpl for ClosureFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> datafusion_common::Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> datafusion_common::Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.into_iter().map(|value| value.into_array(rows)).collect::<datafusion_common::Result<Vec<_>>>()?;
        let wrong = |message: String| DataFusionError::External(Box::new(Error::value(message)));
        let result = (self.closure)(&arrays).map_err(|error| DataFusionError::External(Box::new(error)))?;
        if result.len() != rows || *result.data_type() != self.returns {
            return Err(wrong(format!(
                "the function {} gave {} rows of {} where {rows} of {} were due",
                self.name,
                result.len(),
                result.data_type(),
                self.returns
            )));
        }
        Ok(ColumnarValue::Array(result))
    }
}

impl std::fmt::Debug for ClosureFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}(..) -> {}", self.name, self.returns)
    }
}

// Two closures are the same only if they are the same value.
impl PartialEq for ClosureFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.closure, &other.closure)
    }
}

impl Eq for ClosureFunction {}

impl Hash for ClosureFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
