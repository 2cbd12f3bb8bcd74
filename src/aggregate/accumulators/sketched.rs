//! Aggregates whose state is a sketch: estimates of counts, frequencies and quantiles in few bytes.
//!
//! ```text
//!   rows ─> one sketch a group ─ bytes ─> partitions, files ─> merged ─> the sketch itself, or its answer
//! ```
//!
//! What a sketch is and costs stands with each in [`crate::expr::sketch`]. NULLs are passed over,
//! but by the most frequent values, of which NULL may be one.

use super::{Accumulate, Groups, only, only_state};
use crate::column::Column;
use crate::error::{Error, Result};
use crate::expr::sketch::{CountMin, Frequent, Histogram, Hll, Kll, KllKind, Theta, frequent, hash_of, hll, kll, theta};
use crate::expr::{Value, build_values, read_value, top_values};
use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray};
use arrow::datatypes::DataType;

/// Bytes of Spark's bitmaps.
const BITMAP_BYTES: usize = 4096;

/// Which sketch, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SketchKind {
    /// The bins of a histogram.
    Histogram { bins: usize },
    /// A count-min sketch.
    CountMin { depth: usize, width: usize, seed: i32 },
    /// An HLL sketch of values.
    Hll { bits: u8 },
    /// One of sketches, which may differ in size if `mixed`.
    HllUnion { mixed: bool },
    /// A theta sketch of values.
    Theta { bits: u8 },
    /// One of sketches.
    ThetaUnion { bits: u8 },
    /// What all sketches have in common.
    ThetaIntersection,
    /// A KLL sketch of values.
    Kll { kind: KllKind, size: u16 },
    /// One of sketches; without a size that of the smallest.
    KllMerge { kind: KllKind, size: Option<u16> },
    /// The `count` most frequent values.
    Top { count: usize, room: usize },
    /// The sketch of them.
    TopState { room: usize },
    /// One of sketches; without room that of the first.
    TopMerge { room: Option<usize> },
    /// Bits at positions.
    Bitmap,
    /// All bits of bitmaps.
    BitmapOr,
    /// The bits that all bitmaps have.
    BitmapAnd,
}

#[derive(Clone)]
enum State {
    Histogram(Histogram),
    CountMin(CountMin),
    Hll(Hll),
    Theta(Theta),
    Kll(Kll),
    Top(Frequent),
    Bits(Vec<u8>),
}

fn mixed_up() -> Error {
    Error::internal("a sketch of another kind")
}

impl SketchKind {
    /// Whether NULL is a value like others.
    fn sees_null(self) -> bool {
        matches!(self, Self::Top { .. } | Self::TopState { .. })
    }

    /// Whether it is made of sketches instead of values.
    fn is_merge(self) -> bool {
        matches!(
            self,
            Self::HllUnion { .. }
                | Self::ThetaUnion { .. }
                | Self::ThetaIntersection
                | Self::KllMerge { .. }
                | Self::TopMerge { .. }
        )
    }

    /// A sketch of nothing.
    fn start(self) -> Result<State> {
        Ok(match self {
            Self::Histogram { bins } => State::Histogram(Histogram::new(bins)),
            Self::CountMin { depth, width, seed } => State::CountMin(CountMin::new(depth, width, seed)?),
            Self::Hll { bits } => State::Hll(Hll::new(bits)),
            Self::HllUnion { .. } => State::Hll(Hll::new(hll::DEFAULT_BITS)),
            Self::Theta { bits } | Self::ThetaUnion { bits } => State::Theta(Theta::new(bits)),
            Self::ThetaIntersection => State::Theta(Theta::new(theta::DEFAULT_BITS)),
            Self::Kll { kind, size } => State::Kll(Kll::new(kind, size)),
            Self::KllMerge { kind, size } => State::Kll(Kll::new(kind, size.unwrap_or(kll::DEFAULT_SIZE))),
            Self::Top { room, .. } | Self::TopState { room } => State::Top(Frequent::new(room)),
            Self::TopMerge { room } => State::Top(Frequent::new(room.unwrap_or(frequent::DEFAULT_ROOM as usize))),
            Self::Bitmap | Self::BitmapOr => State::Bits(vec![0; BITMAP_BYTES]),
            Self::BitmapAnd => State::Bits(vec![0xff; BITMAP_BYTES]),
        })
    }

    /// The sketch that bytes hold.
    fn sketch_of(self, bytes: &[u8]) -> Result<State> {
        Ok(match self {
            Self::Histogram { bins } => State::Histogram(Histogram::from_bytes(bins, bytes)?),
            Self::CountMin { .. } => State::CountMin(CountMin::from_bytes(bytes)?),
            Self::Hll { .. } | Self::HllUnion { .. } => State::Hll(Hll::from_bytes(bytes)?),
            Self::Theta { .. } | Self::ThetaUnion { .. } | Self::ThetaIntersection => State::Theta(Theta::from_bytes(bytes)?),
            Self::Kll { .. } | Self::KllMerge { .. } => State::Kll(Kll::from_bytes(bytes)?),
            Self::Top { .. } | Self::TopState { .. } | Self::TopMerge { .. } => State::Top(Frequent::from_bytes(bytes)?),
            Self::Bitmap | Self::BitmapOr | Self::BitmapAnd => State::Bits(bytes.to_vec()),
        })
    }

    /// Adds one row's value to the sketch of its group.
    fn add(self, state: &mut Option<State>, value: &Value) -> Result<()> {
        if self.is_merge() {
            let bytes = match value {
                Value::Struct(parts) => parts.first().map_or(&[][..], Value::bytes),
                other => other.bytes(),
            };
            let mut given = self.sketch_of(bytes)?;
            match (self, &mut given) {
                (Self::KllMerge { kind, size }, State::Kll(sketch)) => {
                    if sketch.kind() != kind {
                        return Err(Error::value("a KLL sketch of another type of values"));
                    }
                    if let Some(size) = size {
                        let mut sized = Kll::new(kind, size);
                        sized.merge(sketch);
                        *sketch = sized;
                    }
                }
                (Self::TopMerge { room: Some(room) }, State::Top(sketch)) => *sketch = sketch.clone().with_room(room),
                _ => {}
            }
            return self.join(state, given);
        }
        let known = match state {
            Some(known) => known,
            None => state.insert(self.start()?),
        };
        match (self, known) {
            (_, State::Histogram(histogram)) => histogram.add(value.double()),
            (_, State::CountMin(sketch)) => sketch.add(value),
            (_, State::Hll(sketch)) => sketch.add(hash_of(value)),
            (_, State::Theta(sketch)) => sketch.add(hash_of(value)),
            (Self::Kll { kind: KllKind::Bigint, .. }, State::Kll(sketch)) => sketch.add(kll::word_of_int(value.int())),
            (_, State::Kll(sketch)) if !value.double().is_nan() => sketch.add(kll::word_of_double(value.double())),
            (_, State::Kll(_)) => {}
            (_, State::Top(sketch)) => sketch.add(value)?,
            (Self::Bitmap, State::Bits(bits)) => {
                let position = value.int();
                let byte = usize::try_from(position).ok().and_then(|position| bits.get_mut(position / 8));
                let Some(byte) = byte else {
                    let most = BITMAP_BYTES * 8 - 1;
                    return Err(Error::value(format!("the position {position} of a bitmap lies not between 0 and {most}")));
                };
                *byte |= 1 << (position % 8);
            }
            (Self::BitmapAnd, State::Bits(bits)) => {
                let given = value.bytes();
                bits.iter_mut().enumerate().for_each(|(at, byte)| *byte &= given.get(at).copied().unwrap_or(0));
            }
            (_, State::Bits(bits)) => bits.iter_mut().zip(value.bytes()).for_each(|(byte, given)| *byte |= given),
        }
        Ok(())
    }

    /// Joins another sketch of the same group.
    fn join(self, state: &mut Option<State>, other: State) -> Result<()> {
        let Some(known) = state else {
            *state = Some(other);
            return Ok(());
        };
        match (self, known, &other) {
            (_, State::Histogram(own), State::Histogram(other)) => own.merge(other),
            (_, State::CountMin(own), State::CountMin(other)) => own.merge(other)?,
            (Self::HllUnion { mixed: false }, State::Hll(own), State::Hll(other)) if own.bits() != other.bits() => {
                let text = format!("sketches of lgConfigK {} and {} differ", own.bits(), other.bits());
                return Err(Error::value(text).with_hint("pass true as the second argument of hll_union_agg"));
            }
            (_, State::Hll(own), State::Hll(other)) => own.merge(other),
            (Self::ThetaIntersection, State::Theta(own), State::Theta(other)) => own.intersect(other),
            (_, State::Theta(own), State::Theta(other)) => own.union(other),
            (_, State::Kll(own), State::Kll(other)) => own.merge(other),
            (_, State::Top(own), State::Top(other)) => own.merge(other),
            (Self::BitmapAnd, State::Bits(own), State::Bits(other)) => {
                own.iter_mut().zip(other).for_each(|(own, other)| *own &= other);
            }
            (_, State::Bits(own), State::Bits(other)) => own.iter_mut().zip(other).for_each(|(own, other)| *own |= other),
            _ => return Err(mixed_up()),
        }
        Ok(())
    }

    /// What becomes of a group's sketch.
    fn result(self, state: Option<State>, output: &DataType) -> Result<Value<'static>> {
        let state = match state {
            Some(state) => state,
            None if matches!(self, Self::Histogram { .. }) => return Ok(Value::Null),
            None => self.start()?,
        };
        Ok(match (self, state) {
            (_, State::Histogram(histogram)) => {
                let center = center_type(output);
                let bin = |(x, y): &(f64, f64)| Value::Struct(vec![number(*x, center), Value::Double(*y)]);
                Value::List(histogram.bins().iter().map(bin).collect())
            }
            (Self::Top { count, .. }, State::Top(sketch)) => top_values(&sketch, count)?,
            (_, State::Top(sketch)) => {
                let room = Value::Int(sketch.room() as i64);
                let item = match output {
                    DataType::Struct(fields) if fields.len() == 4 => crate::expr::sql_type(fields[2].data_type()),
                    _ => return Err(mixed_up()),
                };
                let sketch = Value::Bytes(sketch.to_bytes().into());
                Value::Struct(vec![sketch, room, Value::Null, Value::string(format!("item {item}"))])
            }
            (_, state) => Value::Bytes(state.to_bytes().into()),
        })
    }
}

impl State {
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Histogram(sketch) => sketch.to_bytes(),
            Self::CountMin(sketch) => sketch.to_bytes(),
            Self::Hll(sketch) => sketch.to_bytes(),
            Self::Theta(sketch) => sketch.to_bytes(),
            Self::Kll(sketch) => sketch.to_bytes(),
            Self::Top(sketch) => sketch.to_bytes(),
            Self::Bits(bits) => bits.clone(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Histogram(sketch) => sketch.bytes(),
            Self::CountMin(sketch) => sketch.bytes(),
            Self::Hll(sketch) => sketch.bytes(),
            Self::Theta(sketch) => sketch.bytes(),
            Self::Kll(sketch) => sketch.bytes(),
            Self::Top(sketch) => sketch.bytes(),
            Self::Bits(bits) => bits.capacity(),
        }
    }
}

/// The type of a histogram's centers.
fn center_type(output: &DataType) -> &DataType {
    match output {
        DataType::List(item) => match item.data_type() {
            DataType::Struct(fields) if !fields.is_empty() => fields[0].data_type(),
            other => other,
        },
        other => other,
    }
}

/// A double as a value of a type: whole numbers lose their fraction.
fn number(value: f64, data_type: &DataType) -> Value<'static> {
    match data_type {
        DataType::Float32 | DataType::Float64 => Value::Double(value),
        DataType::Decimal128(_, scale) => Value::Decimal((value * 10_f64.powi(i32::from(*scale))).round() as i128, *scale),
        _ => Value::Int(value as i64),
    }
}

/// One sketch a group.
pub(super) struct Sketched {
    kind: SketchKind,
    states: Vec<Option<State>>,
    bytes: usize,
    output: DataType,
}

impl Sketched {
    pub(super) fn new(kind: SketchKind, output: &DataType) -> Self {
        Self { kind, states: Vec::new(), bytes: 0, output: output.clone() }
    }

    /// Changes the states of the rows' groups, as long as nothing fails.
    fn each(
        &mut self,
        groups: &Groups,
        rows: &dyn Array,
        change: impl Fn(SketchKind, &mut Option<State>, usize) -> Result<()>,
    ) -> Result<()> {
        if self.states.len() < groups.count() {
            self.states.resize(groups.count(), None);
        }
        let nulls = rows.logical_nulls().filter(|nulls| nulls.null_count() > 0 && !self.kind.sees_null());
        let mut done = Ok(());
        groups.for_each(nulls.as_ref(), |group, row| {
            if done.is_ok() {
                let state = &mut self.states[group];
                let before = state.as_ref().map_or(0, State::bytes);
                done = change(self.kind, state, row);
                self.bytes = (self.bytes + state.as_ref().map_or(0, State::bytes)).saturating_sub(before);
            }
        });
        done
    }

    fn take(&mut self, count: usize) -> Vec<Option<State>> {
        let mut states = std::mem::take(&mut self.states);
        states.resize(count, None);
        self.bytes = 0;
        states
    }
}

impl Accumulate for Sketched {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        let values = only(columns)?.flat()?;
        self.each(groups, &values, |kind, state, row| kind.add(state, &read_value(&values, row)))
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        let given = only_state(state)?.as_binary_view();
        self.each(groups, given, |kind, state, row| match given.is_null(row) {
            true => Ok(()),
            false => kind.join(state, kind.sketch_of(given.value(row))?),
        })
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        let states = self.take(count);
        let bytes = states.iter().map(|state| state.as_ref().map(State::to_bytes));
        Ok(vec![std::sync::Arc::new(BinaryViewArray::from_iter(bytes))])
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        let states = self.take(count).into_iter();
        let values = states.map(|state| self.kind.result(state, &self.output)).collect::<Result<Vec<_>>>()?;
        build_values(values, &self.output)
    }

    fn bytes(&self) -> usize {
        self.bytes + self.states.capacity() * size_of::<Option<State>>()
    }
}
