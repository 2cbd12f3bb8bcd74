//! From text to a logical plan.
//!
//! ```text
//!   text --parse--> statements --guard--> what we honour --route--> Request
//!                                                                     | a query
//!                        LogicalPlan <--SqlToRel-- rewrite <---bind---+
//! ```
//!
//! [`parse()`] reads Hive's and Spark's tokens with positions and checks sizes before anything
//! recurses. [`guard::check`] refuses what nobody downstream honours. [`route`] tells queries from
//! DDL and settings. [`bind()`] resolves names, gives literals Spark's types and lets
//! `datafusion-sql` build the plan. Nothing outside this module sees a syntax tree's inside.

mod arithmetic;
mod asof;
mod bind;
mod calls;
mod casts;
mod copy;
mod cursor;
mod ddl;
mod declaration;
mod desugar;
mod dialect;
mod fields;
mod grouping;
pub mod guard;
mod hints;
mod known;
mod limits;
mod literal;
mod macros;
mod names;
mod narrow;
mod parse;
mod prepared;
mod problem;
mod provider;
mod relation;
mod respell;
mod rewrite;
mod source;
mod statement;
#[cfg(test)]
mod tests;
mod walk;
mod windows;

pub use arithmetic::{ArithmeticFunctions, SparkArithmetic};
pub use bind::{Bound, Parameters, bind};
pub use copy::{CopyStatement, CopyTarget};
pub use ddl::{
    Alteration, Analyze, AnalyzeColumns, ColumnDefinition, CreateFunction, CreateTable, CreateView, Ddl, Insert, LoadData,
    MultiInsert, PartitionSpec, TableName,
};
pub use fields::ItemAccess;
pub use macros::{Macro, Macros, expand};
pub use parse::{Command, ExplainMode, Parsed, parse};
pub use prepared::Prepared;
pub use provider::FunctionRegistry;
pub use sqlparser::ast;
pub use statement::{Request, route};

/// Stack for work that recurses over syntax trees and plans. Pages that are not touched cost
/// nothing. Guessed: 10,000 levels of a debug build's frames.
const STACK_BYTES: usize = 256 << 20;

/// Runs `work` on a stack large enough for the deepest tree that the limits of [`parse()`] let
/// pass. Plans of such statements should be optimised, run and dropped inside it, too.
pub fn on_large_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK_BYTES / 2, STACK_BYTES, work)
}
