//! One call's accumulators for operators that fold rows themselves: windows.

use super::AggregateCall;
use super::accumulators::{Accumulate, Groups};
use super::spec::Spec;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::exec::OperatorMetrics;
use crate::expr::ExprRef;
use crate::expr::fold::{Fold, FoldFunction};
use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use std::sync::Arc;

/// The call as a fold. Its FILTER is the caller's to apply; DISTINCT is refused, as Spark does.
pub fn fold(call: &AggregateCall) -> Result<Arc<dyn FoldFunction>> {
    if call.distinct {
        return Err(Error::unsupported(format!("DISTINCT in a window function: {}", call.describe())));
    }
    let call = AggregateCall { filter: None, ..call.clone() };
    let schema = Arc::new(Schema::new(vec![call.field.clone()]));
    let metrics = Arc::new(OperatorMetrics::default());
    let spec = Arc::new(Spec::new(Vec::new(), std::slice::from_ref(&call), &schema, &metrics)?);
    Ok(Arc::new(CallFold { spec, call }))
}

#[derive(Debug)]
struct CallFold {
    spec: Arc<Spec>,
    call: AggregateCall,
}

impl FoldFunction for CallFold {
    fn start(&self) -> Result<Box<dyn Fold>> {
        let slots = self.spec.slots.iter().map(|slot| slot.start(true)).collect::<Result<_>>()?;
        Ok(Box::new(States { spec: self.spec.clone(), call: self.call.clone(), slots }))
    }

    fn inputs(&self) -> &[ExprRef] {
        &self.spec.arguments
    }

    fn describe(&self) -> String {
        self.call.describe()
    }
}

struct States {
    spec: Arc<Spec>,
    call: AggregateCall,
    slots: Vec<Box<dyn Accumulate>>,
}

impl Fold for States {
    fn update(&mut self, ids: &[u32], groups: usize, columns: &[Column]) -> Result<()> {
        let groups = Groups::new(ids, groups, 0);
        for (slot, state) in self.spec.slots.iter().zip(&mut self.slots) {
            let columns: Vec<Column> = slot.arguments.iter().map(|&argument| columns[argument].clone()).collect();
            state.update(&groups, &columns)?;
        }
        Ok(())
    }

    fn merge(&mut self, ids: &[u32], groups: usize, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(ids, groups, 0);
        let mut at = 0;
        for (state, &columns) in self.slots.iter_mut().zip(&self.spec.state_columns) {
            state.merge(&groups, &states[at..at + columns])?;
            at += columns;
        }
        Ok(())
    }

    fn drain(&mut self, groups: usize) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::with_capacity(self.spec.partial.fields().len());
        for state in &mut self.slots {
            columns.extend(state.drain(groups)?);
        }
        self.spec.normalised(&columns)
    }

    fn finish(&mut self, groups: usize) -> Result<ArrayRef> {
        let results = self.slots.iter_mut().map(|slot| slot.finish(groups)).collect::<Result<Vec<_>>>()?;
        let result = self.spec.results(&results)?.pop().ok_or_else(|| Error::internal("an aggregate without a result"))?;
        Column::Flat(result).stored(self.call.field.data_type())
    }
}
