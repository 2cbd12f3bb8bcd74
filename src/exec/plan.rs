//! Physical plans: a tree of nodes that know their schema, describe themselves to EXPLAIN and turn
//! themselves into pipelines.

use super::metrics::OperatorMetrics;
use super::parts::PartStream;
use super::pipeline::{PipelineBuilder, Stream};
use crate::error::Result;
use crate::layout::{Layout, Parting};
use arrow::datatypes::SchemaRef;
use std::fmt::Debug;
use std::sync::Arc;

/// A physical operator with its inputs.
pub type PlanRef = Arc<dyn PlanNode>;

/// What every node has.
#[derive(Debug, Clone)]
pub struct NodeInfo {
    /// SQL types of the output. Chunks hold values in forms of their own (see [`crate::column`]).
    pub schema: SchemaRef,
    /// Rows the planner expects.
    pub estimated_rows: f64,
    /// What is known of how the output's rows lie: the delivered property.
    pub layout: Layout,
    /// Filled while the plan runs. A plan runs once.
    pub metrics: Arc<OperatorMetrics>,
}

impl NodeInfo {
    /// Info with an empty layout.
    pub fn new(schema: SchemaRef, estimated_rows: f64) -> Self {
        Self { schema, estimated_rows, layout: Layout::default(), metrics: Arc::default() }
    }

    /// The same with a layout.
    #[must_use]
    pub fn with_layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }
}

/// A physical operator.
pub trait PlanNode: Debug + Send + Sync {
    /// Schema, estimate, layout, metrics.
    fn info(&self) -> &NodeInfo;

    /// The operator's name as EXPLAIN prints it, e.g. `HashAggregate`.
    fn name(&self) -> &'static str;

    /// What EXPLAIN prints after the name on the same line, e.g. `group by a, b: sum(c)`.
    fn summary(&self) -> String {
        String::new()
    }

    /// Lines EXPLAIN prints below the name: filters, verdicts, facts used.
    fn details(&self) -> Vec<String> {
        Vec::new()
    }

    /// What EXPLAIN ANALYZE prints of the counters, in lines. None: all that are not zero, in one line.
    fn figures(&self) -> Option<Vec<String>> {
        None
    }

    /// Inputs, in the order EXPLAIN prints them.
    fn children(&self) -> Vec<&PlanRef>;

    /// Builds the pipelines below this node and returns the stream of its output.
    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream>;

    /// The same, with the rows in the parts of `parting`, whose columns are this node's. None where it
    /// cannot: only nodes whose layout has parts are asked.
    fn build_parts(&self, builder: &mut PipelineBuilder, parting: &Parting) -> Result<Option<PartStream>> {
        let _ = (builder, parting);
        Ok(None)
    }

    /// SQL types of the output.
    fn schema(&self) -> &SchemaRef {
        &self.info().schema
    }
}
