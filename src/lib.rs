//! skep: Hive/Spark SQL over directories of files, on one machine.

#![allow(missing_docs)]

pub mod aggregate;
pub mod catalog;
#[doc(hidden)]
pub mod cli;
pub mod column;
pub mod config;
#[doc(hidden)]
pub mod disk;
pub mod engine;
pub mod error;
pub mod exec;
pub mod explain;
pub mod expr;
pub mod format;
pub mod join;
pub mod layout;
pub mod operator;
pub mod optimizer;
pub mod output;
pub mod planner;
pub mod session;
pub mod sql;
pub mod stream;

pub use arrow;
pub use engine::{Engine, EngineBuilder};
pub use error::{Error, ErrorKind, Result};
pub use session::{Outcome, OutcomeKind, Session};
pub use sql::Parameters;
pub use stream::{CancelHandle, QueryMetrics, ResultStream};
