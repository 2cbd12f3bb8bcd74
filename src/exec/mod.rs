//! The executor: plans cut into pipelines, run as resumable tasks on one thread pool.
//!
//! ```text
//!   plan nodes ──build──> streams of branches ──+ sink──> pipelines ──run──> tasks
//!
//!   pipeline   branch 0:  source ─> operator ─> operator ─┐
//!              branch 1:  source ─> operator ─────────────┴─> sink ──finalize──> event
//!                           ^ requires events of other pipelines
//! ```
//!
//! - [`plan`]: what a physical operator is to the planner and to EXPLAIN.
//! - [`pipeline`]: sources, cursors, operators, sinks: what an operator is while it runs.
//! - [`scheduler`]: tasks, quotas, events, hand-over; the only file that names rayon.
//! - [`result`]: the sink that a query's caller reads from.
//! - [`run`]: from a plan to that sink.
//! - [`parts`], [`region`]: inputs taken part by part, and what runs once a part.
//! - [`memory`], [`spill`]: the budget, revocation, files.
//! - [`metrics`], [`cancel`], [`context`]: what every task carries.

pub mod cancel;
pub mod context;
pub mod memory;
pub mod metrics;
pub mod parts;
pub mod pipeline;
pub mod plan;
pub mod region;
pub mod result;
pub mod run;
pub mod scheduler;
pub mod spill;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

pub use cancel::CancelFlag;
pub use context::{QueryContext, TaskContext};
pub use memory::{MemoryBudget, Reservation, Spillable};
pub use metrics::{Counter, OperatorMetrics, Unit};
pub use parts::{PartLeaf, PartSource, PartStream, PartsSource, Share};
pub use pipeline::{Chain, Cursor, Flow, Job, Operator, OperatorTask, PipelineBuilder, Sink, SinkTask, Source, Step, Stream};
pub use plan::{NodeInfo, PlanNode, PlanRef};
pub use region::Region;
