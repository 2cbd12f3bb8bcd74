//! What a function of ours is to the borrowed front end and to compiled expressions.

use super::super::kernel::{Arg, Kernel};
use crate::column::{to_plan_type, to_storage_type};
use crate::error::{Error, Result};
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{DataFusionError, ScalarValue};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Argument types as given -> as wanted.
type Coerce = Box<dyn Fn(&str, &[DataType]) -> Result<Vec<DataType>> + Send + Sync>;
/// Argument types, constant arguments -> result type.
type Returns = Box<dyn Fn(&[DataType], &[Option<ScalarValue>]) -> Result<DataType> + Send + Sync>;
/// Argument types, constant arguments, result type, text of the call -> kernel.
type Make = Box<dyn Fn(&[DataType], &[Option<ScalarValue>], &DataType, &str) -> Result<Box<dyn Kernel>> + Send + Sync>;
/// Argument types -> whether a call can fail on a value.
type Fallible = Box<dyn Fn(&[DataType]) -> bool + Send + Sync>;

/// A function of ours. Two of the same name in the same time zone are the same.
pub struct Builtin {
    /// Its name; operators have their sign as name.
    pub name: &'static str,
    /// Other names.
    aliases: Vec<String>,
    coerce: Coerce,
    pub(super) returns: Returns,
    make: Make,
    fallible: Fallible,
    signature: Signature,
    /// The session's time zone, where the function depends on it.
    pub(super) zone: Option<Arc<str>>,
    /// The row function behind it, which can be had in another time zone.
    pub(super) row: Option<&'static super::row::Row>,
}

impl Builtin {
    /// An immutable function.
    pub fn new(
        name: &'static str,
        coerce: impl Fn(&str, &[DataType]) -> Result<Vec<DataType>> + Send + Sync + 'static,
        returns: impl Fn(&[DataType], &[Option<ScalarValue>]) -> Result<DataType> + Send + Sync + 'static,
        make: impl Fn(&[DataType], &[Option<ScalarValue>], &DataType, &str) -> Result<Box<dyn Kernel>> + Send + Sync + 'static,
        fallible: impl Fn(&[DataType]) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            aliases: Vec::new(),
            coerce: Box::new(coerce),
            returns: Box::new(returns),
            make: Box::new(make),
            fallible: Box::new(fallible),
            signature: Signature::user_defined(Volatility::Immutable),
            zone: None,
            row: None,
        }
    }

    /// The same with another volatility.
    pub fn with_volatility(mut self, volatility: Volatility) -> Self {
        self.signature = Signature::user_defined(volatility);
        self
    }

    /// The same with more names.
    pub fn with_aliases(mut self, aliases: &[&str]) -> Self {
        self.aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        self
    }

    /// As the front end takes it.
    pub fn into_udf(self) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(self))
    }

    /// The function of ours that `function` is, if it is one.
    pub fn of(function: &ScalarUDF) -> Option<&Self> {
        (function.inner().as_ref() as &dyn Any).downcast_ref()
    }

    /// The kernel of one call.
    pub fn kernel(
        &self,
        types: &[DataType],
        constants: &[Option<ScalarValue>],
        result: &DataType,
        text: &str,
    ) -> Result<Box<dyn Kernel>> {
        (self.make)(types, constants, result, text)
    }

    /// Whether a call can fail on a value.
    pub fn is_fallible(&self, types: &[DataType]) -> bool {
        (self.fallible)(types)
    }

    fn invoke(&self, call: &ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut args = Vec::with_capacity(call.args.len());
        let mut constants = Vec::with_capacity(call.args.len());
        let mut names = Vec::with_capacity(call.args.len());
        for (value, field) in call.args.iter().zip(&call.arg_fields) {
            match value {
                ColumnarValue::Array(array) => {
                    args.push(Arg { array: to_storage_type(array)?, is_const: false });
                    constants.push(None);
                    names.push(field.name().clone());
                }
                ColumnarValue::Scalar(value) => {
                    args.push(Arg { array: super::super::leaf::storage_value(value)?, is_const: true });
                    constants.push(Some(value.clone()));
                    names.push(super::super::leaf::literal_text(value));
                }
            }
        }
        let types: Vec<DataType> = call.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let result = call.return_field.data_type();
        let text = match names.as_slice() {
            [left, right] if !self.name.starts_with(char::is_alphabetic) => format!("{left} {} {right}", self.name),
            names => format!("{}({})", self.name, names.join(", ")),
        };
        let kernel = self.kernel(&types, &constants, result, &text)?;
        let constant = !args.is_empty() && args.iter().all(|arg| arg.is_const);
        let rows = if constant { 1 } else { call.number_rows };
        let array: ArrayRef = to_plan_type(&kernel.call(&args, rows)?, result)?;
        Ok(if constant { ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?) } else { ColumnarValue::Array(array) })
    }
}

impl fmt::Debug for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Builtin {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.zone == other.zone
    }
}

impl Eq for Builtin {}

impl Hash for Builtin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Builtin {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn schema_name(&self, args: &[Expr]) -> datafusion_common::Result<String> {
        let names: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(match names.as_slice() {
            [left, right] if !self.name.starts_with(char::is_alphabetic) || self.name == "div" => {
                format!("({left} {} {right})", self.name)
            }
            [value] if self.name == "negative" => format!("(- {value})"),
            names => format!("{}({})", self.name, names.join(", ")),
        })
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> datafusion_common::Result<DataType> {
        let constants = vec![None; arg_types.len()];
        (self.returns)(arg_types, &constants).map_err(external)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> datafusion_common::Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let constants: Vec<Option<ScalarValue>> = args.scalar_arguments.iter().map(|value| value.cloned()).collect();
        let data_type = (self.returns)(&types, &constants).map_err(external)?;
        Ok(Arc::new(Field::new(self.name, data_type, true)))
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> datafusion_common::Result<Vec<DataType>> {
        (self.coerce)(self.name, arg_types).map_err(external)
    }

    fn short_circuits(&self) -> bool {
        matches!(self.name, "if" | "coalesce" | "nvl" | "nvl2")
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> datafusion_common::Result<ColumnarValue> {
        self.invoke(&args).map_err(external)
    }
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The error for arguments that a function does not take.
pub fn mismatch(name: &str, types: &[DataType]) -> Error {
    let types: Vec<String> = types.iter().map(super::super::cast::sql_type).collect();
    Error::sql(format!("{name} does not take ({})", types.join(", ")))
}
