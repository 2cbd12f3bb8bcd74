//! Whether the rows of each row group are in ascending order of a column, and who says so.
//!
//! All of these are claims: a footer's `sorting_columns` is verified by nobody when it is written,
//! and speaks of one row group only. Whoever relies on the order checks it row group by row group.

use crate::catalog::{FileTable, Table};
use crate::layout::{Declaration, Evidence};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

/// Rows of one row group that a sample looks at. From the usual size of row groups.
const ROWS_SAMPLED: usize = 128 << 10;

impl FileTable {
    /// Whether each row group is said to be in ascending order of `column`, from the strongest source.
    pub fn claimed_order(&self, column: usize) -> Option<(Evidence, String)> {
        if self.footers_sorted(column) {
            return Some((Evidence::Declared, "sorting_columns of all footers".to_owned()));
        }
        let Declaration { buckets, sorted_by, .. } = self.declaration();
        let first = |columns: &[(String, bool)]| {
            columns.first().is_some_and(|(name, descending)| !descending && self.schema().index_of(name).ok() == Some(column))
        };
        if buckets.as_ref().is_some_and(|buckets| first(&buckets.sorted_by)) {
            return Some((Evidence::Declared, "SORTED BY of CREATE TABLE".to_owned()));
        }
        first(sorted_by).then(|| (Evidence::Declared, "table property skep.sorted_by".to_owned()))
    }

    /// The same, and where nobody says anything, whether a sample is in order: the first row group.
    pub fn likely_order(&self, column: usize) -> Option<(Evidence, String)> {
        self.claimed_order(column).or_else(|| {
            let sampled = self.found.ascending.get(column)?;
            let ascending = *sampled.get_or_init(|| self.sample_ascends(column).unwrap_or(false));
            ascending.then(|| (Evidence::Inferred, "a sample of one row group".to_owned()))
        })
    }

    /// Whether every row group of every file has `column` as its first, ascending sorting column.
    fn footers_sorted(&self, column: usize) -> bool {
        let mut any = false;
        for file in self.files() {
            let Some(at) = file.columns.get(column).copied().flatten() else { return false };
            for group in (0..file.footer.row_groups()).filter(|group| file.footer.rows(*group) > 0) {
                any = true;
                let first = file.footer.sorting(group).into_iter().next();
                if first.is_none_or(|first| first.column != at || first.descending) {
                    return false;
                }
            }
        }
        any
    }

    fn sample_ascends(&self, column: usize) -> Option<bool> {
        let groups =
            |file: &crate::catalog::TableFile| (0..file.footer.row_groups()).max_by_key(|group| file.footer.rows(*group));
        let file = self.files().iter().find(|file| file.footer.total_rows() > 1)?;
        let values = self.sample(file, groups(file)?, column, ROWS_SAMPLED).ok()??;
        Some(values.len() > 1 && values.null_count() == 0 && first_descent(&values) == Some(None))
    }
}

/// The first row whose value is below the one before it, NULLs left out: `Some(None)` when there is
/// none, `None` for types that are not compared here.
fn first_descent(array: &ArrayRef) -> Option<Option<usize>> {
    macro_rules! check {
        ($type:ty) => {
            array.as_primitive::<$type>().values().windows(2).position(|pair| pair[0] > pair[1]).map(|at| at + 1)
        };
    }
    Some(match array.data_type() {
        DataType::Int8 => check!(Int8Type),
        DataType::Int16 => check!(Int16Type),
        DataType::Int32 => check!(Int32Type),
        DataType::Int64 => check!(Int64Type),
        DataType::Date32 => check!(Date32Type),
        DataType::Decimal64(..) => check!(Decimal64Type),
        DataType::Timestamp(TimeUnit::Microsecond, _) => check!(TimestampMicrosecondType),
        DataType::Utf8View => {
            let values = array.as_string_view();
            (1..values.len()).find(|at| values.value(*at - 1) > values.value(*at))
        }
        _ => return None,
    })
}
