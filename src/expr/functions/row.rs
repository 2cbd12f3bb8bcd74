//! Functions of one row's values, as tables: a line says name, argument types, result type, body.

use super::super::cast::sql_type;
use super::super::kernel::{Arg, Kernel};
use super::builtin::{Builtin, mismatch};
use super::signature;
use super::value::{Value, build, read};
use crate::error::{Error, ErrorKind, Result};
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::ScalarValue;
use datafusion_expr::{ScalarUDF, Volatility};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// What a call knows beside the values of the row.
#[derive(Debug)]
pub(super) struct Call {
    /// Argument types.
    pub types: Vec<DataType>,
    /// The type of the result.
    pub result: DataType,
    /// The session's time zone.
    pub zone: Arc<str>,
    /// Chosen anew for every query, for random functions.
    pub random: u64,
    /// How often something random was asked for.
    pub calls: AtomicU64,
}

/// What decides the type of a result.
pub(super) struct Shape<'a> {
    pub types: &'a [DataType],
    pub constants: &'a [Option<ScalarValue>],
    pub zone: &'a Arc<str>,
}

impl Shape<'_> {
    /// The type of an argument.
    pub fn of(&self, index: usize) -> DataType {
        self.types.get(index).cloned().unwrap_or(DataType::Null)
    }

    /// The text of a constant argument.
    pub fn text(&self, index: usize) -> Option<&str> {
        self.constants.get(index)?.as_ref()?.try_as_str().flatten()
    }

    /// TIMESTAMP in the session's zone.
    pub fn timestamp(&self) -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some(self.zone.clone()))
    }
}

/// The type of a result.
#[derive(Clone, Copy)]
pub(super) enum Gives {
    /// STRING.
    Text,
    /// BINARY.
    Bytes,
    /// BOOLEAN.
    Bool,
    /// INT.
    Int,
    /// BIGINT.
    Long,
    /// DOUBLE.
    Double,
    /// DATE.
    Date,
    /// TIMESTAMP in the session's zone.
    Timestamp,
    /// TIMESTAMP_NTZ.
    Local,
    /// ARRAY of STRING.
    Texts,
    /// The type of an argument.
    Like(usize),
    /// Worked out.
    By(fn(&Shape) -> Result<DataType>),
}

/// The body of a function.
pub(super) type Body = for<'a> fn(&Call, &[Value<'a>]) -> Result<Value<'a>>;

/// A line of a table.
pub(super) struct Row {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    /// Argument types, as [`signature::coerce`] reads them.
    pub takes: &'static str,
    pub gives: Gives,
    pub body: Body,
    /// The body sees NULLs; otherwise a NULL argument gives NULL without a call.
    pub sees_null: bool,
    /// The body can fail on a value.
    pub fails: bool,
    /// A failure is NULL.
    pub attempts: bool,
    /// It gives something else at every call.
    pub volatile: bool,
}

/// A function that cannot fail.
pub(super) const fn total(name: &'static str, takes: &'static str, gives: Gives, body: Body) -> Row {
    Row { name, aliases: &[], takes, gives, body, sees_null: false, fails: false, attempts: false, volatile: false }
}

/// A function that can fail on a value.
pub(super) const fn partial(name: &'static str, takes: &'static str, gives: Gives, body: Body) -> Row {
    Row { name, aliases: &[], takes, gives, body, sees_null: false, fails: true, attempts: false, volatile: false }
}

impl Row {
    /// More names.
    pub const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The body is called with NULLs, too.
    pub const fn sees_null(mut self) -> Self {
        self.sees_null = true;
        self
    }

    /// NULL instead of an error.
    pub const fn attempt(mut self) -> Self {
        self.attempts = true;
        self.fails = false;
        self
    }

    /// Something else at every call.
    pub const fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// For the registry, in the session's time zone.
    pub fn udf(&'static self, zone: Arc<str>) -> Arc<ScalarUDF> {
        let (of_types, of_make, of_builtin) = (zone.clone(), zone.clone(), zone.clone());
        let mut builtin = Builtin::new(
            self.name,
            move |name, types| signature::coerce(name, types, self.takes, &zone),
            move |types, constants| self.returns(types, constants, &of_types),
            move |types, _, result, text| Ok(self.kernel(types, result, text, of_make.clone())),
            move |_| self.fails,
        )
        .with_aliases(self.aliases)
        .with_volatility(if self.volatile { Volatility::Volatile } else { Volatility::Immutable });
        builtin.row = Some(self);
        builtin.zone = Some(of_builtin);
        builtin.into_udf()
    }

    /// The kernel of one call.
    pub fn kernel(&'static self, types: &[DataType], result: &DataType, text: &str, zone: Arc<str>) -> Box<dyn Kernel> {
        let call = Call {
            types: types.to_vec(),
            result: result.clone(),
            zone,
            random: RandomState::new().hash_one(self.name),
            calls: AtomicU64::new(0),
        };
        Box::new(RowKernel { row: self, call, text: text.to_owned() })
    }

    fn returns(&self, types: &[DataType], constants: &[Option<ScalarValue>], zone: &Arc<str>) -> Result<DataType> {
        let shape = Shape { types, constants, zone };
        Ok(match self.gives {
            Gives::Text => DataType::Utf8View,
            Gives::Bytes => DataType::BinaryView,
            Gives::Bool => DataType::Boolean,
            Gives::Int => DataType::Int32,
            Gives::Long => DataType::Int64,
            Gives::Double => DataType::Float64,
            Gives::Date => DataType::Date32,
            Gives::Timestamp => shape.timestamp(),
            Gives::Local => DataType::Timestamp(TimeUnit::Microsecond, None),
            Gives::Texts => signature::list_of(DataType::Utf8View),
            Gives::Like(index) => types.get(index).cloned().ok_or_else(|| mismatch(self.name, types))?,
            Gives::By(f) => f(&shape)?,
        })
    }
}

/// How `function` is called under a name.
pub fn usage(function: &ScalarUDF, name: &str) -> String {
    match Builtin::of(function).and_then(|builtin| builtin.row) {
        Some(row) => format!("{name}{}", signature::shown(row.takes)),
        None => format!("{name}(..)"),
    }
}

/// `function` in another time zone than UTC, if it has one.
pub fn in_zone(function: &Arc<ScalarUDF>, zone: &str) -> Arc<ScalarUDF> {
    match Builtin::of(function).and_then(|builtin| builtin.row) {
        Some(row) if zone != "UTC" => row.udf(zone.into()),
        _ => function.clone(),
    }
}

struct RowKernel {
    row: &'static Row,
    call: Call,
    text: String,
}

impl std::fmt::Debug for RowKernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({:?})", self.row.name, self.call.types)
    }
}

impl Kernel for RowKernel {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        let mut values: Vec<Value> = args.iter().map(|_| Value::Null).collect();
        for (value, arg) in values.iter_mut().zip(args).filter(|(_, arg)| arg.is_const && !arg.array.is_empty()) {
            *value = read(arg.array.as_ref(), 0);
        }
        let mut results = Vec::with_capacity(rows);
        for row in 0..rows {
            let mut null = false;
            for (value, arg) in values.iter_mut().zip(args) {
                if !arg.is_const {
                    *value = read(arg.array.as_ref(), row);
                }
                null |= value.is_null();
            }
            if null && !self.row.sees_null {
                results.push(Value::Null);
                continue;
            }
            results.push(match (self.row.body)(&self.call, &values) {
                Ok(value) => value,
                Err(error) if error.kind() != ErrorKind::Value => return Err(error),
                Err(_) if self.row.attempts => Value::Null,
                Err(error) => {
                    let told = Error::value(format!("{} in {}", error.message(), self.text));
                    return Err(match error.hint() {
                        Some(hint) => told.with_hint(hint),
                        None => told,
                    });
                }
            });
        }
        build(results, &self.call.result)
            .map_err(|error| Error::value(format!("{} as {} in {}", error.message(), sql_type(&self.call.result), self.text)))
    }
}
