//! Which writers' bounds can be believed.
//!
//! Old writers compared strings byte by byte as signed numbers, or took the bounds of a buffer that
//! they reused (PARQUET-251), and put the result into the fields `min` and `max` that say nothing of
//! their order. Bounds of signed numbers were right all along. Sources: the format's notes on
//! `Statistics` and `ColumnOrder`, issues PARQUET-251, PARQUET-686 and PARQUET-1025.

use ::parquet::basic::{ColumnOrder, SortOrder, Type as Physical};
use ::parquet::file::metadata::FileMetaData;

/// First version of parquet-mr whose bounds are in the order of the column's type.
const MR_ORDERED: Version = (1, 10, 0);
/// First version of parquet-cpp of which that holds.
const CPP_ORDERED: Version = (1, 3, 0);

type Version = (u32, u32, u32);

/// Whether bounds of the leaf in the footer (`deprecated`: in the fields without an order) or in
/// page indexes are in the order that the column's type has in SQL.
pub(super) fn bounds_ordered(file: &FileMetaData, leaf: usize, deprecated: bool) -> bool {
    let column = file.schema_descr().column(leaf);
    let declared = file.column_orders().and_then(|orders| orders.get(leaf).copied()).unwrap_or(ColumnOrder::UNDEFINED);
    if column.physical_type() == Physical::INT96 || declared == ColumnOrder::UNKNOWN {
        return false;
    }
    let order = ColumnOrder::sort_order_for_type(column.logical_type_ref(), column.converted_type(), column.physical_type());
    let bytes = matches!(column.physical_type(), Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY);
    match order {
        SortOrder::SIGNED if !bytes => true,
        SortOrder::UNDEFINED => false,
        _ => declared == ColumnOrder::TYPE_DEFINED_ORDER(order) && !deprecated && ordered_writer(file.created_by()),
    }
}

fn ordered_writer(created_by: Option<&str>) -> bool {
    let Some((name, version)) = created_by.and_then(|text| text.split_once(" version ")) else { return true };
    let first = match name {
        "parquet-mr" => MR_ORDERED,
        "parquet-cpp" => CPP_ORDERED,
        _ => return true,
    };
    parse(version).is_some_and(|version| version >= first)
}

/// `1.8.1-SNAPSHOT (build ..)` is 1.8.1.
fn parse(text: &str) -> Option<Version> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.split('.');
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next().unwrap_or(0), next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_are_known_by_name_and_version() {
        for good in ["parquet-mr version 1.10.0", "parquet-mr version 1.13.1 (build x)", "parquet-cpp version 1.3.0-SNAPSHOT"] {
            assert!(ordered_writer(Some(good)), "{good}");
        }
        for good in ["parquet-cpp-arrow version 1.0.0", "parquet-rs version 0.1.0", "something"] {
            assert!(ordered_writer(Some(good)), "{good}");
        }
        for bad in [
            "parquet-mr version 1.8.1",
            "parquet-mr version 1.6.0rc7 (build y)",
            "parquet-mr version x",
            "parquet-cpp version 1.2.9",
        ] {
            assert!(!ordered_writer(Some(bad)), "{bad}");
        }
        assert!(ordered_writer(None));
    }
}
