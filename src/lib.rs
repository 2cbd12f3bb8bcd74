//! skep: Hive/Spark SQL over directories of files, on one machine.

#![allow(missing_docs)]

pub mod catalog;
#[doc(hidden)]
pub mod cli;
pub mod column;
pub mod error;
pub mod exec;
pub mod expr;
pub mod layout;

pub use arrow;
pub use error::{Error, ErrorKind, Result};
