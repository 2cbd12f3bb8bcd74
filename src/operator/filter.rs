//! WHERE, HAVING and ON conditions that no scan or join took over.

use super::row_wise::RowWise;
use crate::error::Result;
use crate::exec::{NodeInfo, PartStream, PipelineBuilder, PlanNode, PlanRef, Stream};
use crate::expr::Predicate;
use crate::layout::Parting;
use std::fmt;
use std::sync::Arc;

/// Keeps the rows for which a predicate is true (not false, not NULL). Order and layout are kept;
/// columns are selected from, not copied.
pub struct FilterNode {
    info: NodeInfo,
    input: PlanRef,
    predicate: Arc<Predicate>,
}

impl FilterNode {
    /// The rows of `input` that `predicate`, compiled for its schema, lets pass.
    pub fn new(input: PlanRef, predicate: Predicate, estimated_rows: f64) -> Self {
        let info = NodeInfo::new(input.schema().clone(), estimated_rows).with_layout(input.info().layout.clone());
        Self { info, input, predicate: Arc::new(predicate) }
    }
}

impl PlanNode for FilterNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Filter"
    }

    fn summary(&self) -> String {
        self.predicate.describe()
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.input]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        Ok(self.input.build(builder)?.then(self.operator(), &self.info.metrics))
    }

    fn build_parts(&self, builder: &mut PipelineBuilder, parting: &Parting) -> Result<Option<PartStream>> {
        let input = self.input.build_parts(builder, parting)?;
        Ok(input.map(|input| input.then(self.operator(), &self.info.metrics)))
    }
}

impl FilterNode {
    fn operator(&self) -> Arc<RowWise> {
        let predicate = self.predicate.clone();
        RowWise::new(move |chunk| predicate.select(&chunk))
    }
}

impl fmt::Debug for FilterNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("predicate", &self.predicate.describe()).field("input", &self.input).finish()
    }
}
