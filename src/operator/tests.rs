//! Operators over small synthetic inputs.

use super::{LimitNode, ProjectNode, SortKey, SortNode, SubqueryNode, UnionNode, ValuesNode};
use crate::column::{Chunk, Column};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::PlanRef;
use crate::exec::fixtures::{Setting, apply, column, number_schema, numbers, values};
use crate::exec::run::collect;
use crate::exec::scheduler::Scheduler;
use crate::expr::{ScalarSlot, VectorExpr};
use arrow::array::{ArrayRef, AsArray, Decimal64Array, Int64Array, StringViewArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion_common::ScalarValue;
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn run(plan: impl crate::exec::PlanNode + 'static) -> Result<Vec<Chunk>> {
    let plan: PlanRef = Arc::new(plan);
    collect(&plan, &Scheduler::new(2)?, Setting::default().context())
}

fn number_chunk(values: impl IntoIterator<Item = i64>) -> Chunk {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    Chunk::from_arrays(vec![values.clone()], values.len())
}

#[test]
fn limit_is_exact_for_any_number_of_tasks() {
    for (skip, fetch) in [(0, Some(0)), (0, Some(1)), (17, Some(1234)), (9_990, Some(100)), (20_000, None), (5, None)] {
        for tasks in [1, usize::MAX] {
            let (input, _) = numbers(10_000, 64, tasks);
            let mut found = values(&run(LimitNode::new(input, skip, fetch)).unwrap());
            let all = 10_000_usize.saturating_sub(skip);
            assert_eq!(found.len(), fetch.unwrap_or(all).min(all), "skip {skip}, fetch {fetch:?}");
            if tasks == 1 {
                assert!(found.iter().zip(skip as i64..).all(|(found, expected)| *found == expected));
            }
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), fetch.unwrap_or(all).min(all));
        }
    }
}

#[test]
fn limit_stops_its_sources() {
    let (endless, made) = numbers(u64::MAX / 2, 100, usize::MAX);
    // One task is given no row that passes: it too has to see that the limit is reached.
    let filtered = apply(endless, |chunk, task| Ok((task.worker == 0).then_some(chunk)));
    let found = run(LimitNode::new(filtered, 0, Some(250))).unwrap();
    assert_eq!(values(&found).len(), 250);
    assert!(made.load(Ordering::Relaxed) < 10_000_000);
}

/// Twice the first column, counted.
#[derive(Debug)]
struct Twice;

impl VectorExpr for Twice {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let values = chunk.column(0).flat()?;
        Ok(Column::Flat(Arc::new(values.as_primitive::<Int64Type>().unary::<_, Int64Type>(|n| n * 2))))
    }

    fn data_type(&self) -> &DataType {
        &DataType::Int64
    }

    fn is_fallible(&self) -> bool {
        false
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        columns.push(0);
    }

    fn describe(&self) -> String {
        "n * 2".to_owned()
    }
}

#[test]
fn project_computes_and_passes_columns_on() {
    let (input, _) = numbers(100, 10, 1);
    let field = |name| Field::new(name, DataType::Int64, true);
    let schema = Arc::new(Schema::new(vec![field("twice"), field("n")]));
    let node = ProjectNode::new(input, vec![Arc::new(Twice), column(0, DataType::Int64)], schema);
    assert_eq!(crate::exec::PlanNode::summary(&node), "n * 2, #0");
    let chunks = run(node).unwrap();
    assert!(values(&chunks).into_iter().eq((0..100).map(|n| n * 2)));
    assert_eq!(chunks[1].column(1).flat().unwrap().as_primitive::<Int64Type>().value(3), 13);
}

#[test]
fn union_gives_all_rows_in_its_own_types() {
    let decimals = |precision, values: Vec<i64>| -> PlanRef {
        let schema = Arc::new(Schema::new(vec![Field::new("d", DataType::Decimal128(precision, 2), true)]));
        let array: ArrayRef = Arc::new(Decimal64Array::from(values).with_precision_and_scale(precision.min(18), 2).unwrap());
        Arc::new(ValuesNode::new(schema, vec![Chunk::from_arrays(vec![array.clone()], array.len())]))
    };
    let inputs = vec![decimals(10, vec![1, 2]), decimals(18, vec![3])];
    let schema = inputs[1].schema().clone();
    let union = UnionNode::new(inputs, schema.clone()).unwrap();
    let chunks = run(union).unwrap();
    let mut found: Vec<i128> = Vec::new();
    for chunk in &chunks {
        assert_eq!(*chunk.column(0).data_type(), DataType::Decimal64(18, 2));
        found.extend(chunk.to_batch(&schema).unwrap().column(0).as_primitive::<arrow::datatypes::Decimal128Type>().values());
    }
    found.sort_unstable();
    assert_eq!(found, [1, 2, 3]);
    assert_eq!(UnionNode::new(vec![numbers(1, 1, 1).0], Arc::new(Schema::empty())).unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn values_are_cut_to_size_and_stay_in_order() {
    let node = ValuesNode::new(number_schema(), vec![number_chunk(0..20_000), number_chunk([]), number_chunk(20_000..20_001)]);
    let chunks = run(node).unwrap();
    assert!(chunks.iter().all(|chunk| chunk.rows() <= 8192));
    assert!(values(&chunks).into_iter().eq(0..20_001));
    let many = ValuesNode::new(number_schema(), (0..100).map(|i| number_chunk(i * 1000..(i + 1) * 1000)).collect());
    assert_eq!(values(&run(many).unwrap()).len(), 100_000);
    assert!(run(ValuesNode::empty(number_schema())).unwrap().is_empty());
    let one = run(ValuesNode::one_row(Arc::new(Schema::empty()))).unwrap();
    assert_eq!((one[0].rows(), one[0].columns().len()), (1, 0));
}

/// Whether the slot is known when the rows are computed: fails if it is not.
#[derive(Debug)]
struct Slot(Arc<ScalarSlot>);

impl VectorExpr for Slot {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        Column::constant(self.0.get()?, chunk.rows())
    }

    fn data_type(&self) -> &DataType {
        self.0.data_type()
    }

    fn is_fallible(&self) -> bool {
        false
    }

    fn collect_columns(&self, _columns: &mut Vec<usize>) {}

    fn describe(&self) -> String {
        "a subquery".to_owned()
    }
}

/// Rows below a sort, whose key reads the slot, under an expression that reads it too.
fn reads(slot: &Arc<ScalarSlot>, rows: u64) -> PlanRef {
    let key = |expr| SortKey { expr, descending: false, nulls_first: true };
    let keys = vec![key(Arc::new(Slot(slot.clone())) as _), key(column(0, DataType::Int64))];
    let sorted = SortNode::new(numbers(rows, 100, usize::MAX).0, keys, None).unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("s", slot.data_type().clone(), true)]));
    Arc::new(ProjectNode::new(Arc::new(sorted), vec![Arc::new(Slot(slot.clone()))], schema))
}

#[test]
fn subqueries_are_known_before_anything_below_runs() {
    let slow = |rows| {
        apply(numbers(rows, 1, 1).0, |chunk, _| {
            std::thread::sleep(std::time::Duration::from_millis(30));
            Ok(Some(chunk))
        })
    };
    let inner = Arc::new(ScalarSlot::new(DataType::Int64));
    let outer = Arc::new(ScalarSlot::new(DataType::Int64));
    // The inner subquery's user is itself the subquery of the outer.
    let first = LimitNode::new(reads(&inner, 10), 0, Some(1));
    let subquery = SubqueryNode::new(Arc::new(first), vec![(slow(1), inner.clone())]);
    let input = reads(&outer, 1000);
    let node = SubqueryNode::new(input, vec![(Arc::new(subquery), outer.clone())]);
    assert_eq!(values(&run(node).unwrap()), vec![0; 1000]);
    assert_eq!(outer.peek(), Some(&ScalarValue::Int64(Some(0))));
}

#[test]
fn a_subquery_without_rows_is_null_and_with_two_an_error() {
    let slot = Arc::new(ScalarSlot::new(DataType::Int64));
    let empty: PlanRef = Arc::new(ValuesNode::empty(number_schema()));
    let chunks = run(SubqueryNode::new(reads(&slot, 10), vec![(empty, slot.clone())])).unwrap();
    assert_eq!(chunks[0].column(0).value(0).unwrap(), ScalarValue::Int64(None));
    assert_eq!(slot.peek(), Some(&ScalarValue::Int64(None)));
    for chunk_rows in [1, 2] {
        let slot = Arc::new(ScalarSlot::new(DataType::Int64));
        let node = SubqueryNode::new(reads(&slot, 10), vec![(numbers(2, chunk_rows, 1).0, slot)]);
        let error: Error = run(node).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Value, "a scalar subquery returned more than one row"));
    }
}

#[test]
fn a_subquery_of_a_decimal_has_its_sql_type() {
    let data_type = DataType::Decimal128(10, 2);
    let schema = Arc::new(Schema::new(vec![Field::new("d", data_type.clone(), true)]));
    let array: ArrayRef = Arc::new(Decimal64Array::from(vec![42]).with_precision_and_scale(10, 2).unwrap());
    let plan: PlanRef = Arc::new(ValuesNode::new(schema, vec![Chunk::from_arrays(vec![array], 1)]));
    let slot = Arc::new(ScalarSlot::new(data_type));
    run(SubqueryNode::new(reads(&slot, 1), vec![(plan, slot.clone())])).unwrap();
    assert_eq!(slot.peek(), Some(&ScalarValue::Decimal128(Some(42), 10, 2)));
}

#[test]
fn views_pass_through_values() {
    let schema = Arc::new(Schema::new(vec![Field::new("s", DataType::Utf8, true)]));
    let strings: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None]));
    let chunks = run(ValuesNode::new(schema.clone(), vec![Chunk::from_arrays(vec![strings], 2)])).unwrap();
    let batch = chunks[0].to_batch(&schema).unwrap();
    assert_eq!(batch.column(0).as_string::<i32>().value(0), "a");
}
