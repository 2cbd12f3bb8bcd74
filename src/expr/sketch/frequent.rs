//! The most frequent values: counters for as many as there is room for.
//!
//! A known value's counter is raised, a new one gets a counter. When there are too many, the median
//! of the counters is taken off all of them, and those that are used up go. What was taken off is
//! known, so that an estimate is a counter and what may be missing from it.
//!
//! ```text
//!   a 9  b 4  c 3  d 1  e 1   room for 4:  median 3  ─>  a 6  b 1   (+ 3)
//! ```
//!
//! Cost: a counter and the value's bytes for as many values as there is room for; an estimate is off
//! by 2n / room at most, and exact as long as there was room. NULL is a value like others.
//!
//! J. Misra, D. Gries, Finding repeated elements (1982); D. Anderson et al., A high-performance
//! algorithm for identifying frequent items in data streams (2017), for the median.

use super::{Reader, damaged};
use crate::error::{Error, Result};
use crate::expr::functions::value::Value;
use std::collections::HashMap;

/// Spark's default of how many values have counters.
pub(crate) const DEFAULT_ROOM: i64 = 10_000;
/// Spark's limit for them.
pub(crate) const ROOM_MAX: i64 = 1_000_000;
/// Nesting that is read back at most; values of columns are far from it.
const DEPTH_MAX: usize = 64;
const WHAT: &str = "top-k";

/// One sketch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frequent {
    room: usize,
    missing: u64,
    counters: HashMap<Vec<u8>, u64>,
    held: usize,
}

impl Frequent {
    /// Of nothing, with counters for `room` values.
    pub(crate) fn new(room: usize) -> Self {
        Self { room: room.max(1), missing: 0, counters: HashMap::new(), held: 0 }
    }

    /// For how many values there are counters.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, value: &Value) -> Result<()> {
        let mut key = Vec::new();
        encode(value, &mut key)?;
        self.count(key, 1);
        Ok(())
    }

    fn count(&mut self, key: Vec<u8>, by: u64) {
        let length = key.len();
        let mut fresh = false;
        *self.counters.entry(key).or_insert_with(|| {
            fresh = true;
            0
        }) += by;
        self.held += if fresh { length } else { 0 };
        if self.counters.len() > self.room {
            let mut counts: Vec<u64> = self.counters.values().copied().collect();
            let middle = counts.len() / 2;
            let (_, median, _) = counts.select_nth_unstable(middle);
            let median = *median;
            self.missing += median;
            self.counters.retain(|_, count| {
                *count = count.saturating_sub(median);
                *count > 0
            });
            self.held = self.counters.keys().map(Vec::len).sum();
        }
    }

    /// Adds all that the other one has seen.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.missing += other.missing;
        other.counters.iter().for_each(|(key, count)| self.count(key.clone(), *count));
    }

    /// The same with room for other many values.
    pub(crate) fn with_room(mut self, room: usize) -> Self {
        self.room = room.max(1);
        while self.counters.len() > self.room {
            // One more than there is room for makes it tidy up.
            let Some((key, count)) = self.counters.iter().next().map(|(key, count)| (key.clone(), *count)) else { break };
            self.counters.remove(&key);
            self.count(key, count);
        }
        self
    }

    /// The most frequent values, as bytes for [`decode`], and how often they came, about. Of equally
    /// frequent ones those with lesser bytes come first, and NULL last.
    pub(crate) fn top(&self, count: usize) -> Vec<(Vec<u8>, i64)> {
        let mut all: Vec<(&Vec<u8>, u64)> = self.counters.iter().map(|(key, count)| (key, *count)).collect();
        let is_null = |key: &[u8]| key == [0];
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| is_null(a.0).cmp(&is_null(b.0))).then_with(|| a.0.cmp(b.0)));
        let number = |count: u64| i64::try_from(count + self.missing).unwrap_or(i64::MAX);
        all.into_iter().take(count).map(|(key, count)| (key.clone(), number(count))).collect()
    }

    /// The sketch as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut counters: Vec<_> = self.counters.iter().collect();
        counters.sort_unstable();
        let mut bytes = Vec::with_capacity(24 + self.held + counters.len() * 16);
        for word in [self.room as u64, self.missing, counters.len() as u64] {
            bytes.extend(word.to_le_bytes());
        }
        for (key, count) in counters {
            bytes.extend(count.to_le_bytes());
            bytes.extend((key.len() as u64).to_le_bytes());
            bytes.extend(key);
        }
        bytes
    }

    /// The sketch of bytes.
    ///
    /// # Errors
    /// If they are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, WHAT);
        let room = reader.word()?;
        if room == 0 || room > ROOM_MAX as u64 {
            return Err(damaged(WHAT));
        }
        let mut sketch = Self::new(room as usize);
        sketch.missing = reader.word()?;
        for _ in 0..reader.word()? {
            let count = reader.word()?;
            let length = usize::try_from(reader.word()?).map_err(|_| damaged(WHAT))?;
            let key = reader.take(length)?.to_vec();
            sketch.held += length;
            sketch.counters.insert(key, count);
        }
        if reader.bytes.is_empty() { Ok(sketch) } else { Err(damaged(WHAT)) }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.held + self.counters.capacity() * 40
    }
}

/// A value as bytes that are equal if it is.
fn encode(value: &Value, out: &mut Vec<u8>) -> Result<()> {
    let mut sized = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(bytes);
    };
    match value {
        Value::Null => out.push(0),
        Value::Bool(value) => out.extend([1, u8::from(*value)]),
        Value::Int(value) => {
            out.push(2);
            out.extend(value.to_le_bytes());
        }
        Value::Double(value) => {
            out.push(3);
            out.extend((if value.is_nan() { f64::NAN } else { value + 0.0 }).to_le_bytes());
        }
        Value::Decimal(value, scale) => {
            out.extend([4, *scale as u8]);
            out.extend(value.to_le_bytes());
        }
        Value::Text(text) => sized(5, text.as_bytes()),
        Value::Bytes(bytes) => sized(6, bytes),
        Value::List(items) | Value::Struct(items) => {
            out.push(if matches!(value, Value::List(_)) { 7 } else { 8 });
            out.extend((items.len() as u64).to_le_bytes());
            items.iter().try_for_each(|item| encode(item, out))?;
        }
        Value::Map(_) | Value::Interval(..) => return Err(Error::unsupported("frequent values of this type")),
    }
    Ok(())
}

/// The value of bytes that a sketch of these values holds.
///
/// # Errors
/// If they are none.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value<'static>> {
    let mut reader = Reader::new(bytes, WHAT);
    let value = read(&mut reader, 0)?;
    if reader.bytes.is_empty() { Ok(value) } else { Err(damaged(WHAT)) }
}

fn read(reader: &mut Reader, depth: usize) -> Result<Value<'static>> {
    if depth > DEPTH_MAX {
        return Err(damaged(WHAT));
    }
    let tag = reader.byte()?;
    Ok(match tag {
        0 => Value::Null,
        1 => Value::Bool(reader.byte()? == 1),
        2 => Value::Int(reader.word()? as i64),
        3 => Value::Double(f64::from_bits(reader.word()?)),
        4 => {
            let scale = reader.byte()? as i8;
            let (low, high) = (reader.word()?, reader.word()?);
            Value::Decimal((i128::from(high as i64) << 64) | i128::from(low), scale)
        }
        5 | 6 => {
            let length = usize::try_from(reader.word()?).map_err(|_| damaged(WHAT))?;
            let bytes = reader.take(length)?.to_vec();
            match tag {
                5 => Value::string(String::from_utf8(bytes).map_err(|_| damaged(WHAT))?),
                _ => Value::Bytes(bytes.into()),
            }
        }
        7 | 8 => {
            let mut items = Vec::new();
            for _ in 0..reader.word()? {
                items.push(read(reader, depth + 1)?);
            }
            if tag == 7 { Value::List(items) } else { Value::Struct(items) }
        }
        _ => return Err(damaged(WHAT)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_values_are_found_in_little_room() {
        let mut sketch = Frequent::new(20);
        let mut other = Frequent::new(20);
        for number in 0..10_000_i64 {
            let value = if number % 3 == 0 {
                1
            } else if number % 5 == 0 {
                2
            } else {
                number
            };
            if number % 2 == 0 { &mut sketch } else { &mut other }.add(&Value::Int(value)).unwrap();
        }
        sketch.merge(&Frequent::from_bytes(&other.to_bytes()).unwrap());
        let top = sketch.top(2);
        assert!(decode(&top[0].0).unwrap().same(&Value::Int(1)) && decode(&top[1].0).unwrap().same(&Value::Int(2)));
        assert!((top[0].1 - 3_334).abs() <= 2 * 10_000 / 20, "{top:?}");
        assert!(sketch.clone().with_room(3).counters.len() <= 3);
    }

    #[test]
    fn values_of_all_types_come_back() {
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int(-5),
            Value::Double(1.5),
            Value::Decimal(-12_345_678_901_234_567_890, 2),
            Value::string("é"),
            Value::Bytes(vec![0, 255].into()),
            Value::List(vec![Value::Int(1), Value::Null]),
            Value::Struct(vec![Value::string("a")]),
        ];
        for value in values {
            let mut bytes = Vec::new();
            encode(&value, &mut bytes).unwrap();
            assert!(decode(&bytes).unwrap().same(&value), "{value:?}");
            assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        }
        assert!(encode(&Value::Interval(1, 2, 3), &mut Vec::new()).is_err());
    }
}
