//! Window functions against a slow twin that looks at every row of every frame.

use super::{Bound, Distance, Frame, Place, Units, WindowCall, WindowFunction, WindowNode};
use crate::column::{Chunk, Column};
use crate::error::Result;
use crate::exec::PlanRef;
use crate::exec::fixtures::Setting;
use crate::exec::run::collect;
use crate::exec::scheduler::Scheduler;
use crate::expr::fold::{Fold, FoldFunction};
use crate::expr::{self, ExprRef, VectorExpr};
use crate::operator::{SortKey, ValuesNode};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringViewArray};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;

/// Puts numbers behind one another: shows which rows were seen, how often, and in which order.
#[derive(Debug)]
struct Joined(Vec<ExprRef>);

struct Texts(Vec<String>);

impl FoldFunction for Joined {
    fn start(&self) -> Result<Box<dyn Fold>> {
        Ok(Box::new(Texts(Vec::new())))
    }

    fn inputs(&self) -> &[ExprRef] {
        &self.0
    }

    fn describe(&self) -> String {
        "joined".into()
    }
}

impl Fold for Texts {
    fn update(&mut self, ids: &[u32], groups: usize, columns: &[Column]) -> Result<()> {
        self.0.resize(groups.max(self.0.len()), String::new());
        let values = columns[0].flat()?;
        for (id, value) in ids.iter().zip(values.as_primitive::<Int64Type>()) {
            self.0[*id as usize] += &value.map_or("-,".into(), |value| format!("{value},"));
        }
        Ok(())
    }

    fn merge(&mut self, ids: &[u32], groups: usize, states: &[ArrayRef]) -> Result<()> {
        self.0.resize(groups.max(self.0.len()), String::new());
        for (id, state) in ids.iter().zip(states[0].as_string_view()) {
            self.0[*id as usize] += state.unwrap_or_default();
        }
        Ok(())
    }

    fn drain(&mut self, groups: usize) -> Result<Vec<ArrayRef>> {
        self.0.resize(groups, String::new());
        Ok(vec![Arc::new(StringViewArray::from_iter_values(std::mem::take(&mut self.0)))])
    }

    fn finish(&mut self, groups: usize) -> Result<ArrayRef> {
        Ok(self.drain(groups)?.remove(0))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    partition: i64,
    key: Option<i64>,
    id: i64,
}

fn rows(random: &mut StdRng, count: i64, partitions: i64, keys: i64) -> Vec<Row> {
    let row = |id| Row {
        partition: random.random_range(0..partitions) * random.random_range(0..2),
        key: Some(random.random_range(0..keys)).filter(|key| key % 7 != 3),
        id,
    };
    (0..count).map(row).collect()
}

fn long(index: usize, name: &str) -> ExprRef {
    expr::column(index, DataType::Int64, true, name.into())
}

/// The results of `call` by row id, as text.
fn run(rows: &[Row], calls: Vec<WindowCall>, partitioned: bool, setting: Setting) -> Vec<Vec<String>> {
    let schema = ["p", "k", "id"].map(|name| Field::new(name, DataType::Int64, true));
    let chunks = rows.chunks(setting.chunk_rows.min(100)).map(|rows| {
        let column = |of: &dyn Fn(&Row) -> Option<i64>| Arc::new(rows.iter().map(of).collect::<Int64Array>()) as ArrayRef;
        let arrays = vec![column(&|row| Some(row.partition)), column(&|row| row.key), column(&|row| Some(row.id))];
        Chunk::from_arrays(arrays, rows.len())
    });
    let input: PlanRef = Arc::new(ValuesNode::new(Arc::new(Schema::new(schema.to_vec())), chunks.collect()));
    let groups = if partitioned { vec![long(0, "p")] } else { Vec::new() };
    let key = |expr| SortKey { expr, descending: false, nulls_first: true };
    let node = WindowNode::new(input, groups, vec![key(long(1, "k")), key(long(2, "id"))], calls).unwrap();
    let plan: PlanRef = Arc::new(node);
    let mut found = vec![Vec::new(); rows.len()];
    for chunk in collect(&plan, &Scheduler::new(setting.threads).unwrap(), setting.context()).unwrap() {
        let ids = chunk.column(2).flat().unwrap();
        for column in &chunk.columns()[3..] {
            let values = column.flat().unwrap();
            for (row, id) in ids.as_primitive::<Int64Type>().values().iter().enumerate() {
                let text = match values.data_type() {
                    _ if values.is_null(row) => "NULL".into(),
                    DataType::Utf8View => values.as_string_view().value(row).to_owned(),
                    DataType::Int32 => values.as_primitive::<Int32Type>().value(row).to_string(),
                    _ => values.as_primitive::<Int64Type>().value(row).to_string(),
                };
                found[*id as usize].push(text);
            }
        }
    }
    found
}

/// The rows of a row's frame, in order, by definition.
fn frame_rows<'a>(frame: &Frame, partition: &'a [Row], at: usize) -> Vec<&'a Row> {
    let keys: Vec<Option<i64>> = partition.iter().map(|row| row.key).collect();
    let peers = |a: usize, b: usize| keys[a] == keys[b];
    let mut groups = vec![0_i64];
    for row in 1..partition.len() {
        groups.push(groups[row - 1] + i64::from(!peers(row, row - 1)));
    }
    let group = |row: usize| groups[row];
    let inside = |row: usize, bound: &Bound, is_start: bool| {
        let side = |ordering: i64| if is_start { ordering >= 0 } else { ordering <= 0 };
        match (bound, frame.units) {
            (Bound::UnboundedPreceding | Bound::UnboundedFollowing, _) => true,
            (Bound::CurrentRow, Units::Rows) => side(row as i64 - at as i64),
            (Bound::CurrentRow, _) => peers(row, at) || side(row as i64 - at as i64),
            (Bound::Rows(by), Units::Groups) => side(group(row) - group(at) - by),
            (Bound::Rows(by), _) => side(row as i64 - at as i64 - by),
            (Bound::Before(Distance::Integer(by)) | Bound::Behind(Distance::Integer(by)), _) => {
                let by = if matches!(bound, Bound::Before(_)) { -*by as i64 } else { *by as i64 };
                match (keys[row], keys[at]) {
                    (_, None) => peers(row, at) || side(row as i64 - at as i64),
                    (None, _) => !is_start,
                    (Some(key), Some(own)) => side(key - own - by),
                }
            }
            _ => panic!("not tested"),
        }
    };
    let within = |row: &usize| inside(*row, &frame.start, true) && inside(*row, &frame.end, false);
    (0..partition.len()).filter(within).map(|row| &partition[row]).collect()
}

fn joined(frame: Frame, order_keys: usize, filter: Option<ExprRef>) -> WindowCall {
    let field = Arc::new(Field::new("joined", DataType::Utf8View, true));
    WindowCall { function: WindowFunction::Fold(Arc::new(Joined(vec![long(2, "id")]))), filter, order_keys, frame, field }
}

fn check(rows: &[Row], frames: &[Frame], partitioned: bool, setting: Setting) {
    let calls = frames.iter().map(|frame| {
        let order_keys = if frame.units == Units::Rows { 2 } else { 1 };
        joined(frame.clone(), order_keys, None)
    });
    let found = run(rows, calls.collect(), partitioned, setting);
    let mut sorted = rows.to_vec();
    sorted.sort_by_key(|row| (if partitioned { row.partition } else { 0 }, row.key, row.id));
    for partition in sorted.chunk_by(|a, b| !partitioned || a.partition == b.partition) {
        for (at, row) in partition.iter().enumerate() {
            for (frame, found) in frames.iter().zip(&found[row.id as usize]) {
                let expected: String = frame_rows(frame, partition, at).iter().map(|row| format!("{},", row.id)).collect();
                assert_eq!(*found, expected, "{frame:?} of row {at} with key {:?}, {setting:?}", row.key);
            }
        }
    }
}

fn frame(units: Units, start: Bound, end: Bound) -> Frame {
    Frame { units, start, end }
}

fn all_frames() -> Vec<Frame> {
    use Bound::{Before, Behind, CurrentRow, Rows, UnboundedFollowing, UnboundedPreceding};
    let by = Distance::Integer;
    let mut frames = Vec::new();
    for units in [Units::Rows, Units::Groups] {
        frames.extend([
            frame(units, UnboundedPreceding, CurrentRow),
            frame(units, UnboundedPreceding, UnboundedFollowing),
            frame(units, CurrentRow, UnboundedFollowing),
            frame(units, Rows(-2), Rows(3)),
            frame(units, Rows(-5), Rows(-2)),
            frame(units, Rows(2), Rows(9)),
            frame(units, UnboundedPreceding, Rows(-1)),
            frame(units, Rows(-40), CurrentRow),
        ]);
    }
    frames.extend([
        frame(Units::Range, UnboundedPreceding, CurrentRow),
        frame(Units::Range, CurrentRow, CurrentRow),
        frame(Units::Range, Before(by(3)), Behind(by(1))),
        frame(Units::Range, Before(by(9)), Before(by(2))),
        frame(Units::Range, Behind(by(1)), UnboundedFollowing),
        frame(Units::Range, UnboundedPreceding, Behind(by(0))),
    ]);
    frames
}

#[test]
fn frames_see_the_rows_they_should_in_order() {
    let mut random = StdRng::seed_from_u64(1);
    for (count, partitions, keys) in [(1, 1, 1), (40, 3, 5), (90, 2, 40), (60, 1, 3)] {
        let rows = rows(&mut random, count, partitions, keys);
        for partitioned in [true, false] {
            let setting = Setting::default();
            check(&rows, &all_frames(), partitioned, setting);
            check(&rows, &all_frames(), partitioned, Setting { chunk_rows: 1, always_spill: true, ..setting });
            check(&rows, &all_frames(), partitioned, Setting { chunk_rows: 13, threads: 1, ..setting });
        }
    }
}

#[test]
fn functions_that_look_back_are_given_out_in_pieces() {
    use Bound::{CurrentRow, Rows, UnboundedPreceding};
    let rows = rows(&mut StdRng::seed_from_u64(2), 200, 2, 60);
    let frames = [
        frame(Units::Rows, UnboundedPreceding, CurrentRow),
        frame(Units::Range, UnboundedPreceding, CurrentRow),
        frame(Units::Rows, Rows(-7), CurrentRow),
        frame(Units::Rows, Rows(-9), Rows(-3)),
    ];
    for chunk_rows in [1, 3, 10, 64] {
        for partitioned in [true, false] {
            check(&rows, &frames, partitioned, Setting { chunk_rows, ..Setting::default() });
        }
    }
}

#[test]
fn long_frames_are_put_together_from_a_tree() {
    // Enough rows that folding each frame row by row would be given up.
    let rows = rows(&mut StdRng::seed_from_u64(3), 500, 1, 500);
    let frames = [
        frame(Units::Rows, Bound::Rows(-200), Bound::Rows(150)),
        frame(Units::Rows, Bound::CurrentRow, Bound::UnboundedFollowing),
        frame(Units::Range, Bound::Before(Distance::Integer(200)), Bound::Behind(Distance::Integer(100))),
    ];
    check(&rows, &frames, false, Setting::default());
}

#[derive(Debug)]
struct IsEven(ExprRef);

impl VectorExpr for IsEven {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let values = self.0.evaluate(chunk)?.flat()?;
        let even = values.as_primitive::<Int64Type>().iter().map(|value| value.map(|value| value % 2 == 0));
        Ok(Column::Flat(Arc::new(even.collect::<BooleanArray>())))
    }

    fn data_type(&self) -> &DataType {
        &DataType::Boolean
    }

    fn is_fallible(&self) -> bool {
        false
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        self.0.collect_columns(columns);
    }

    fn describe(&self) -> String {
        "even".into()
    }
}

#[test]
fn a_filter_leaves_rows_out_of_frames() {
    let rows = rows(&mut StdRng::seed_from_u64(4), 200, 2, 20);
    let frame = frame(Units::Rows, Bound::Rows(-20), Bound::Rows(20));
    let filter = Arc::new(IsEven(long(2, "id")));
    let found = run(&rows, vec![joined(frame.clone(), 2, Some(filter))], false, Setting::default());
    let mut sorted = rows;
    sorted.sort_by_key(|row| (row.key, row.id));
    for (at, row) in sorted.iter().enumerate() {
        let seen = frame_rows(&frame, &sorted, at).into_iter().filter(|row| row.id % 2 == 0);
        let expected: String = seen.map(|row| format!("{},", row.id)).collect();
        assert_eq!(found[row.id as usize][0], expected);
    }
}

#[test]
fn ranks_and_shifts_of_partitions_in_pieces() {
    let rows = rows(&mut StdRng::seed_from_u64(5), 400, 3, 30);
    let number = |function, order_keys| WindowCall {
        function,
        filter: None,
        order_keys,
        frame: Frame::whole(),
        field: Arc::new(Field::new("n", DataType::Int32, false)),
    };
    let value = |function| WindowCall { field: Arc::new(Field::new("v", DataType::Int64, true)), ..number(function, 2) };
    let shift = |rows, ignore_nulls| {
        value(WindowFunction::Shift { value: long(1, "k"), rows, default: Some(long(2, "id")), ignore_nulls })
    };
    let pick = |row, ignore_nulls| value(WindowFunction::Pick { value: long(1, "k"), row, ignore_nulls });
    let back = [
        number(WindowFunction::RowNumber, 2),
        number(WindowFunction::Rank, 1),
        number(WindowFunction::DenseRank, 1),
        shift(-3, false),
    ];
    let ahead = [shift(2, false), shift(-2, true), shift(2, true), number(WindowFunction::Ntile(7), 2)];
    let picks = [pick(Place::First, true), pick(Place::Last, false), pick(Place::Nth(4), true)];
    let mut sorted = rows.clone();
    sorted.sort_by_key(|row| (row.partition, row.key, row.id));
    let mut expected = vec![Vec::new(); rows.len()];
    let text = |value: Option<i64>| value.map_or("NULL".to_owned(), |value| value.to_string());
    for partition in sorted.chunk_by(|a, b| a.partition == b.partition) {
        let keys: Vec<Option<i64>> = partition.iter().map(|row| row.key).collect();
        let with_key: Vec<usize> = (0..keys.len()).filter(|&at| keys[at].is_some()).collect();
        let (each, larger) = (partition.len() / 7, partition.len() % 7);
        let tiles = (0..7).flat_map(|tile| std::iter::repeat_n(tile + 1, each + usize::from(tile < larger)));
        for ((at, row), tile) in partition.iter().enumerate().zip(tiles) {
            let before = (0..at).filter(|&other| keys[other] != keys[at]).count();
            let groups = (1..=at).filter(|&other| keys[other] != keys[other - 1]).count();
            let at_or_id = |place: Option<usize>| match place.filter(|&place| place < partition.len()) {
                Some(place) => text(keys[place]),
                None => row.id.to_string(),
            };
            let earlier: Vec<usize> = with_key.iter().copied().filter(|&other| other < at).collect();
            let later: Vec<usize> = with_key.iter().copied().filter(|&other| other > at).collect();
            expected[row.id as usize] = vec![
                (at + 1).to_string(),
                (before + 1).to_string(),
                (groups + 1).to_string(),
                at_or_id(at.checked_sub(3)),
                at_or_id(Some(at + 2)),
                at_or_id(earlier.len().checked_sub(2).map(|place| earlier[place])),
                at_or_id(later.get(1).copied()),
                tile.to_string(),
                text(with_key.first().and_then(|&place| keys[place])),
                text(keys[partition.len() - 1]),
                text(with_key.get(3).and_then(|&place| keys[place])),
            ];
        }
    }
    for chunk_rows in [1, 5, 8192] {
        let setting = Setting { chunk_rows, ..Setting::default() };
        let found = run(&rows, back.to_vec(), true, setting);
        let rest = run(&rows, ahead.iter().chain(&picks).cloned().collect(), true, setting);
        for ((found, rest), expected) in found.iter().zip(&rest).zip(&expected) {
            assert_eq!([found.as_slice(), rest].concat(), *expected, "{chunk_rows} rows a chunk");
        }
    }
}
