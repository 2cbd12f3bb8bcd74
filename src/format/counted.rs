//! Rows of which nobody wants a column: their number alone.

use super::reader::{Rows, SplitReader};
use crate::error::Result;

/// So many rows without columns.
pub(super) struct Counted(u64);

impl Counted {
    pub(super) fn new(rows: u64) -> Self {
        Self(rows)
    }
}

impl SplitReader for Counted {
    fn next(&mut self, rows_max: usize) -> Result<Option<Rows>> {
        let rows = self.0.min(rows_max.max(1) as u64);
        self.0 -= rows;
        Ok((rows > 0).then(|| Rows { columns: Vec::new(), rows: rows as usize }))
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}
