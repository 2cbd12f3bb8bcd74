//! skep: Hive/Spark SQL over directories of files, on one machine.

// Public: the library's face. Everything else is public for tests and benchmarks alone, may change
// at any time and is not part of the documentation.
pub mod engine;
pub mod error;
pub mod session;
pub mod stream;

#[doc(hidden)]
pub mod aggregate;
#[doc(hidden)]
pub mod catalog;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod column;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod disk;
#[doc(hidden)]
pub mod exec;
#[doc(hidden)]
pub mod explain;
#[doc(hidden)]
pub mod expr;
#[doc(hidden)]
pub mod format;
#[doc(hidden)]
pub mod join;
#[doc(hidden)]
pub mod layout;
#[doc(hidden)]
pub mod operator;
#[doc(hidden)]
pub mod optimizer;
#[doc(hidden)]
pub mod output;
#[doc(hidden)]
pub mod planner;
#[doc(hidden)]
pub mod sql;

pub use arrow;
pub use engine::{Engine, EngineBuilder};
pub use error::{Error, ErrorKind, Result};
pub use session::{Outcome, OutcomeKind, ScriptOptions, ScriptStep, Session, StepState};
pub use sql::Parameters;
pub use stream::{CancelHandle, QueryMetrics, ResultStream};
