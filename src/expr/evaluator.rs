//! Functions of the borrowed library: arguments are brought to their SQL types, the function is
//! called, its result is brought to the form that chunks hold.

use super::kernel::{Arg, Kernel};
use crate::column::{to_plan_type, to_storage_type};
use crate::error::{Error, Result};
use arrow::array::ArrayRef;
use arrow::datatypes::FieldRef;
use datafusion_common::ScalarValue;
use datafusion_common::config::ConfigOptions;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};
use std::sync::Arc;

/// The kernel.
#[derive(Debug)]
pub(super) struct Evaluator {
    pub function: Arc<ScalarUDF>,
    pub arg_fields: Vec<FieldRef>,
    pub return_field: FieldRef,
    pub config: Arc<ConfigOptions>,
}

impl Kernel for Evaluator {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        let values = args.iter().zip(&self.arg_fields).map(|(arg, field)| {
            let array = to_plan_type(&arg.array, field.data_type())?;
            Ok(match arg.is_const {
                true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
                false => ColumnarValue::Array(array),
            })
        });
        let call = ScalarFunctionArgs {
            args: values.collect::<Result<_>>()?,
            arg_fields: self.arg_fields.clone(),
            number_rows: rows,
            return_field: self.return_field.clone(),
            config_options: self.config.clone(),
        };
        let name = || format!("{}: ", self.function.name());
        let result = self.function.invoke_with_args(call).map_err(|error| match Error::from(error) {
            error if error.kind() == crate::ErrorKind::Internal => Error::value(name() + error.message()),
            error => error,
        })?;
        to_storage_type(&result.to_array(rows)?)
    }
}

/// Functions of the library that fail on no value.
pub(super) fn is_infallible(name: &str) -> bool {
    const NAMES: [&str; 26] = [
        "upper",
        "lower",
        "btrim",
        "ltrim",
        "rtrim",
        "character_length",
        "octet_length",
        "bit_length",
        "reverse",
        "translate",
        "starts_with",
        "ends_with",
        "contains",
        "strpos",
        "concat_ws",
        "concat",
        "ascii",
        "initcap",
        "greatest",
        "least",
        "md5",
        "levenshtein",
        "find_in_set",
        "to_hex",
        "isnan",
        "replace",
    ];
    NAMES.contains(&name)
}
