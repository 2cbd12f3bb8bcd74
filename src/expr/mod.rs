//! Compiled expressions over chunks.

pub mod slot;
mod vector;

pub use slot::ScalarSlot;
pub use vector::{ExprRef, VectorExpr};
