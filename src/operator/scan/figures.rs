//! What EXPLAIN ANALYZE prints of a scan.

use super::condition::Condition;
use super::source::Counters;
use crate::catalog::{ColumnOrigin, FileTable};
use crate::exec::{Counter, Unit};
use std::sync::Arc;

/// Three lines: what was opened of what there is, bytes and values of how many, and time.
pub(super) fn lines(table: &FileTable, conditions: &[Arc<Condition>], projection: &[usize], counters: &Counters) -> Vec<String> {
    let wanted = Wanted::of(table, conditions, projection);
    let count = |counter: &Counter| Unit::Count.show(counter.get());
    let bytes = |counter: &Counter| Unit::Bytes.show(counter.get());
    let time = |counter: &Counter| Unit::Nanoseconds.show(counter.get());
    let values = counters.values_decoded.get();
    let codes = (values > 0).then(|| format!(", {:.0}% as codes", 100.0 * counters.as_codes.get() as f64 / values as f64));
    let shared = counters.row_groups_handed_over.get();
    let shared = (shared > 0).then(|| format!(", {} row groups handed over to idle workers", Unit::Count.show(shared)));
    vec![
        format!(
            "read: files {} of {}, row groups {} of {}, pages {} (passed over {}){}",
            count(&counters.files),
            Unit::Count.show(wanted.files),
            count(&counters.row_groups),
            Unit::Count.show(wanted.row_groups),
            count(&counters.pages_read),
            count(&counters.pages_skipped),
            shared.unwrap_or_default(),
        ),
        format!(
            "bytes: {} of {} read, {} decompressed; values: {} of {} decoded{}",
            bytes(&counters.bytes_read),
            Unit::Bytes.show(wanted.bytes),
            bytes(&counters.bytes_decompressed),
            count(&counters.values_decoded),
            Unit::Count.show(wanted.values),
            codes.unwrap_or_default(),
        ),
        format!(
            "time: I/O {}, decompression {}, decoding {}, filtering {}",
            time(&counters.io_ns),
            time(&counters.decompress_ns),
            time(&counters.decode_ns),
            time(&counters.filter_ns),
        ),
    ]
}

/// What a scan that skips nothing would read.
#[derive(Default)]
struct Wanted {
    files: u64,
    row_groups: u64,
    bytes: u64,
    values: u64,
}

impl Wanted {
    fn of(table: &FileTable, conditions: &[Arc<Condition>], projection: &[usize]) -> Self {
        let tested = conditions.iter().flat_map(|condition| condition.predicate.columns());
        let mut columns: Vec<usize> = projection.iter().chain(tested).copied().collect();
        columns.sort_unstable();
        columns.dedup();
        let mut wanted = Self { files: table.files().len() as u64, ..Self::default() };
        for file in table.files() {
            let places = columns.iter().filter_map(|column| match table.origin(file, *column) {
                ColumnOrigin::File(at) => Some(at),
                _ => None,
            });
            let places: Vec<usize> = places.collect();
            for row_group in 0..file.footer.row_groups() {
                wanted.row_groups += 1;
                wanted.values += (file.footer.rows(row_group) * places.len()) as u64;
                wanted.bytes += places.iter().map(|at| file.footer.column_bytes(row_group, *at).0).sum::<u64>();
            }
        }
        wanted
    }
}
