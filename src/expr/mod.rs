//! Compiled expressions over chunks.
//!
//! [`compile()`] turns the plan's expressions into [`VectorExpr`]s: own kernels for what queries
//! spend their time on, the function library's evaluator for the rest. [`Predicate`] filters
//! chunks, [`scan_predicate`] gives scans what they may test early, [`keys`] and [`sort_key`] make
//! rows comparable for joins, groups and sorts, [`functions`] are what SQL may call.

pub mod fold;
pub mod functions;
pub mod keys;
pub(crate) mod sketch;
pub mod slot;
pub mod sort_key;

mod arithmetic;
mod bounds;
mod case;
mod cast;
mod cast_nested;
mod compare;
mod compile;
mod decimal;
mod dictionary;
mod evaluator;
mod in_list;
mod java_regex;
mod kernel;
mod lambda;
mod leaf;
mod like;
mod like_block;
mod logic;
mod parse;
mod predicate;
mod scan;
mod temporal;
mod text;
mod true_or_null;
mod vector;

pub(crate) use bounds::order as order_of_constants;
pub(crate) use cast::sql_type;
pub use compile::{Slots, compile};
pub(crate) use functions::common_type;
pub use functions::intervals::{day_time_text, year_month_text};
pub(crate) use functions::sketches::{top_list, top_state, top_values};
pub use functions::times::text as time_text;
pub(crate) use functions::value::{Value, build as build_values, read as read_value};
pub use leaf::column;
pub use parse::{double_text, float32_text};
pub use predicate::Predicate;
pub use scan::scan_predicate;
pub use slot::ScalarSlot;
pub use sort_key::SortKeyEncoder;
pub use true_or_null::true_or_null;
pub use vector::{ExprRef, VectorExpr};

#[cfg(test)]
mod tests;
