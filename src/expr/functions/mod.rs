//! Functions that SQL may call: an allow-list, with Spark's names, types and results.
//!
//! Functions on hot paths have kernels over arrays of their own ([`arithmetic`], [`math`],
//! [`strings`], [`dates`]); the others are lines of tables of functions of one row's values
//! ([`row`]); a few are the borrowed library's. The first of a name wins.

mod arithmetic;
mod arrays;
mod attempt;
mod builtin;
mod closure;
mod dates;
mod encodings;
mod hashes;
pub(super) mod intervals;
mod json;
mod json_text;
pub(super) mod lambdas;
pub(super) mod maps;
mod math;
mod moments;
mod number_format;
mod numbers;
mod patterns;
mod printf;
mod random;
mod regexps;
mod row;
mod schema_text;
pub(super) mod show;
mod signature;
pub(super) mod sketches;
mod strings;
mod texts;
pub(super) mod times;
mod type_name;
pub(super) mod value;
mod weights;
pub(super) mod zones;

pub use arithmetic::{decimal_literal, divide, int_divide, minus, multiply, negate, plus, remainder};
pub(super) use builtin::Builtin;
pub use closure::from_closure;
pub use intervals::interval_operators;
pub use lambdas::higher_order;
pub use row::{in_zone, usage};
pub(crate) use signature::common_type;
pub use type_name::type_name;
pub use weights::{mean_of, times_count};

use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// Tables of functions of one row, by group.
static TABLES: &[&[row::Row]] = &[
    texts::ROWS,
    regexps::ROWS,
    encodings::ROWS,
    hashes::ROWS,
    numbers::ROWS,
    number_format::ROWS,
    printf::ROWS,
    moments::ROWS,
    times::ROWS,
    intervals::ROWS,
    arrays::ROWS,
    maps::ROWS,
    json::ROWS,
    random::ROWS,
    sketches::ROWS,
    sketches::KLL_BIGINT,
    sketches::KLL_FLOAT,
    sketches::KLL_DOUBLE,
];

/// All scalar functions, arithmetic included.
pub fn scalar() -> Vec<Arc<ScalarUDF>> {
    let mut functions = vec![plus(), minus(), multiply(), divide(), remainder(), int_divide(), negate()];
    functions.extend(arithmetic::functions());
    functions.push(type_name::type_of());
    functions.extend(math::functions());
    functions.extend(strings::functions());
    functions.extend(dates::functions());
    let zone: Arc<str> = "UTC".into();
    functions.extend(TABLES.iter().copied().flatten().map(|row| row.udf(zone.clone())));
    functions.extend(borrowed());
    functions
}

/// Functions of the borrowed library that do what Spark's do.
fn borrowed() -> Vec<Arc<ScalarUDF>> {
    use datafusion_functions::{core, crypto, datetime};
    // A moment, which casts show in the session's time zone.
    let mut in_utc = datafusion_common::config::ConfigOptions::default();
    in_utc.execution.time_zone = Some("+00:00".into());
    vec![core::nullif(), crypto::md5(), datetime::current_date(), datetime::now(&in_utc)]
}

#[cfg(test)]
mod tests;
