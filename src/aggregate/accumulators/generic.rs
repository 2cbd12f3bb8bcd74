//! Any other function, through DataFusion's own accumulators.

use super::{Accumulate, Groups, SlotSpec};
use crate::column::{Column, to_plan_type, to_storage_type};
use crate::error::Result;
use arrow::array::{ArrayRef, BooleanArray, new_empty_array, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::GroupsAccumulatorAdapter;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::Column as ColumnExpr;
use std::sync::Arc;

/// One of DataFusion's accumulators behind our interface.
pub(super) struct Generic {
    inner: Box<dyn GroupsAccumulator>,
    types: Vec<DataType>,
    size: usize,
    updates: usize,
    spec: SlotSpec,
    /// Groups may exist without rows: DataFusion's accumulators learn of it by a filter.
    tracked: bool,
}

/// What DataFusion wants to know of a call.
#[derive(Clone)]
struct Call {
    spec: SlotSpec,
    name: String,
    fields: Vec<FieldRef>,
    schema: Schema,
    expressions: Vec<Arc<dyn PhysicalExpr>>,
}

impl Call {
    fn new(spec: &SlotSpec) -> Self {
        let field = |(index, data_type): (usize, &DataType)| Arc::new(Field::new(format!("a{index}"), data_type.clone(), true));
        let fields: Vec<FieldRef> = spec.types.iter().enumerate().map(field).collect();
        let expression =
            |(index, field): (usize, &FieldRef)| -> Arc<dyn PhysicalExpr> { Arc::new(ColumnExpr::new(field.name(), index)) };
        let expressions = fields.iter().enumerate().map(expression).collect();
        Self { spec: spec.clone(), name: spec.describe(), schema: Schema::new(fields.clone()), fields, expressions }
    }

    fn arguments(&self) -> AccumulatorArgs<'_> {
        AccumulatorArgs {
            return_field: self.spec.call.field.clone(),
            schema: &self.schema,
            ignore_nulls: false,
            order_bys: &[],
            is_reversed: false,
            name: &self.name,
            is_distinct: false,
            exprs: &self.expressions,
            expr_fields: &self.fields,
        }
    }
}

impl Generic {
    pub(super) fn new(spec: &SlotSpec, tracked: bool) -> Result<Self> {
        Ok(Self { inner: Self::inner(spec)?, types: spec.types.clone(), size: 0, updates: 0, spec: spec.clone(), tracked })
    }

    fn inner(spec: &SlotSpec) -> Result<Box<dyn GroupsAccumulator>> {
        let call = Call::new(spec);
        let function = spec.call.function.clone();
        if function.groups_accumulator_supported(call.arguments()) {
            return Ok(function.create_groups_accumulator(call.arguments())?);
        }
        Ok(Box::new(GroupsAccumulatorAdapter::new(move || function.accumulator(call.arguments()))))
    }

    pub(super) fn state_types(spec: &SlotSpec) -> Result<Vec<DataType>> {
        let call = Call::new(spec);
        let fields = spec.call.function.state_fields(StateFieldsArgs {
            name: &call.name,
            input_fields: &call.fields,
            return_field: spec.call.field.clone(),
            ordering_fields: &[],
            is_distinct: false,
        })?;
        Ok(fields.iter().map(|field| field.data_type().clone()).collect())
    }

    fn ids(groups: &Groups) -> Vec<usize> {
        match groups.ids() {
            Some(ids) => ids.iter().map(|&id| id as usize).collect(),
            None => vec![0; groups.rows()],
        }
    }

    fn measure(&mut self) {
        // Asking may cost a walk over all groups.
        self.updates += 1;
        if self.updates.is_power_of_two() || self.updates.is_multiple_of(64) {
            self.size = self.inner.size();
        }
    }

    /// Lets DataFusion's accumulator know of groups that had no rows, by a row that is filtered out.
    fn complete(&mut self, count: usize) -> Result<()> {
        if self.tracked && count > 0 {
            let nulls: Vec<ArrayRef> = self.types.iter().map(|data_type| new_null_array(data_type, 1)).collect();
            self.inner.update_batch(&nulls, &[0], Some(&BooleanArray::from(vec![false])), count)?;
        }
        Ok(())
    }

    fn renew(&mut self) -> Result<()> {
        self.inner = Self::inner(&self.spec)?;
        (self.size, self.updates) = (0, 0);
        Ok(())
    }
}

impl Accumulate for Generic {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        let plain = |(column, data_type): (&Column, &DataType)| to_plan_type(&column.flat()?, data_type);
        let values = columns.iter().zip(&self.types).map(plain).collect::<Result<Vec<_>>>()?;
        let all = self.tracked.then(|| BooleanArray::from(vec![true; groups.rows()]));
        self.inner.update_batch(&values, &Self::ids(groups), all.as_ref(), groups.count())?;
        self.measure();
        Ok(())
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(state, &Self::ids(groups), groups.count())?;
        self.measure();
        Ok(())
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        // DataFusion's adapter makes arrays of values, and cannot of none.
        if count == 0 {
            let types = Self::state_types(&self.spec)?;
            self.renew()?;
            return Ok(types.iter().map(new_empty_array).collect());
        }
        self.complete(count)?;
        let state = self.inner.state(EmitTo::All)?;
        self.renew()?;
        Ok(state)
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        if count == 0 {
            self.renew()?;
            return to_storage_type(&new_empty_array(self.spec.call.field.data_type()));
        }
        self.complete(count)?;
        let values = self.inner.evaluate(EmitTo::All)?;
        self.renew()?;
        to_storage_type(&values)
    }

    fn bytes(&self) -> usize {
        self.size
    }
}
