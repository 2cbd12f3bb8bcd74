//! The functions that exist in windows only: their names and types, for the binder.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, not_impl_err, plan_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{PartitionEvaluator, Signature, TypeSignature, Volatility, WindowUDF, WindowUDFImpl};
use std::sync::Arc;

/// Every window function, with Spark's result types.
pub fn functions() -> Vec<Arc<WindowUDF>> {
    TABLE.iter().map(|(name, kind, aliases)| Arc::new(WindowUDF::from(Typed::new(name, *kind, aliases)))).collect()
}

/// What decides signature and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// No argument, INT.
    Number,
    /// No argument, DOUBLE.
    Share,
    /// How many tiles; INT.
    Tiles,
    /// A value, how far away, and what stands in where there is no such row.
    Shifted,
    /// A value, whether NULLs are passed over.
    Picked,
    /// A value, its place.
    Nth,
}

const TABLE: &[(&str, Kind, &[&str])] = &[
    ("row_number", Kind::Number, &[]),
    ("rank", Kind::Number, &[]),
    ("dense_rank", Kind::Number, &[]),
    ("percent_rank", Kind::Share, &[]),
    ("cume_dist", Kind::Share, &[]),
    ("ntile", Kind::Tiles, &[]),
    ("lag", Kind::Shifted, &[]),
    ("lead", Kind::Shifted, &[]),
    ("first_value", Kind::Picked, &["first"]),
    ("last_value", Kind::Picked, &["last"]),
    ("nth_value", Kind::Nth, &[]),
];

/// A function that exists for its name and types only.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Typed {
    name: &'static str,
    kind: Kind,
    aliases: Vec<String>,
    signature: Signature,
}

impl Typed {
    fn new(name: &'static str, kind: Kind, aliases: &[&str]) -> Self {
        let signature = match kind {
            Kind::Number | Kind::Share => Signature::nullary(Volatility::Immutable),
            Kind::Tiles => Signature::one_of(
                vec![TypeSignature::Nullary, TypeSignature::Exact(vec![DataType::Int64])],
                Volatility::Immutable,
            ),
            Kind::Shifted | Kind::Picked | Kind::Nth => Signature::user_defined(Volatility::Immutable),
        };
        Self { name, kind, aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(), signature }
    }
}

impl WindowUDFImpl for Typed {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        not_impl_err!("{} outside of a window", self.name)
    }

    fn field(&self, arguments: WindowUDFFieldArgs) -> Result<FieldRef> {
        let (data_type, nullable) = match self.kind {
            Kind::Number | Kind::Tiles => (DataType::Int32, false),
            Kind::Share => (DataType::Float64, false),
            Kind::Shifted | Kind::Picked | Kind::Nth => match arguments.get_input_field(0) {
                Some(value) => (value.data_type().clone(), true),
                None => return plan_err!("{} takes a value", self.name),
            },
        };
        Ok(Arc::new(Field::new(arguments.name(), data_type, nullable)))
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let (Some(value), count) = (arguments.first(), arguments.len()) else {
            return plan_err!("{} takes a value", self.name);
        };
        let further = match self.kind {
            Kind::Shifted => vec![DataType::Int64, value.clone()],
            Kind::Picked => vec![DataType::Boolean],
            _ => vec![DataType::Int64],
        };
        if count > further.len() + 1 || (self.kind == Kind::Nth && count != 2) {
            return plan_err!("{} does not take {count} arguments", self.name);
        }
        Ok(std::iter::once(value.clone()).chain(further).take(count).collect())
    }
}
