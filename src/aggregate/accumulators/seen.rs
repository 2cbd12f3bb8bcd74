//! Which groups have had a value that is not NULL.

use super::Groups;
use arrow::buffer::NullBuffer;

/// Starts out believing that every group has had one (a group exists because of a row) and keeps
/// book only from the first NULL on.
#[derive(Debug)]
pub(super) struct Seen {
    marks: Option<Vec<bool>>,
    tracked: bool,
}

impl Seen {
    /// `tracked`: groups may exist without any row of this aggregate.
    pub(super) fn new(tracked: bool) -> Self {
        Self { marks: tracked.then(Vec::new), tracked }
    }

    /// Notes a batch whose values are NULL where `valid` says so.
    pub(super) fn note(&mut self, groups: &Groups, valid: Option<&NullBuffer>) {
        if self.marks.is_none() && valid.is_none() {
            return;
        }
        let marks = self.marks.get_or_insert_with(|| vec![true; groups.before]);
        if marks.len() < groups.count() {
            marks.resize(groups.count(), false);
        }
        match valid {
            None if groups.is_few() => {
                groups.histogram().iter().zip(marks).for_each(|(&rows, mark)| *mark |= rows > 0);
            }
            _ => groups.for_each(valid, |group, _| marks[group] = true),
        }
    }

    /// The validity of the groups' values; starts afresh.
    pub(super) fn take(&mut self, count: usize) -> Option<NullBuffer> {
        let marks = std::mem::replace(&mut self.marks, self.tracked.then(Vec::new));
        marks.map(|mut marks| {
            marks.resize(count, false);
            NullBuffer::from(marks)
        })
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.marks.as_ref().map_or(0, Vec::capacity)
    }
}
