//! Files for the tests of the layers above, which do not know the crate, and bits for those of this one.

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::arrow::{ArrowWriter, ProjectionMask};
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use std::fs::File;
use std::path::Path;

/// Writes one row group a batch, with pages of `page_rows` rows.
pub(crate) fn write(path: &Path, batches: &[RecordBatch], page_rows: usize) {
    write_with(path, batches, page_rows, &[], &[]);
}

/// As [`write`], with Bloom filters of some columns, and others without bounds.
pub(crate) fn write_with(path: &Path, batches: &[RecordBatch], page_rows: usize, bloom: &[&str], boundless: &[&str]) {
    let file = File::create(path).expect("a test directory is writable");
    let mut properties = WriterProperties::builder().set_data_page_row_count_limit(page_rows).set_write_batch_size(page_rows);
    for column in bloom {
        properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(*column), true);
    }
    for column in boundless {
        properties = properties.set_column_statistics_enabled(ColumnPath::from(*column), EnabledStatistics::None);
    }
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), Some(properties.build())).expect("a supported schema");
    for batch in batches {
        writer.write(batch).expect("a test batch is writable");
        writer.flush().expect("a test file is writable");
    }
    writer.close().expect("a test file is writable");
}

/// Columns of a file in the order of its rows, by the crate's own reader: tasks of a scan take row
/// groups in any order.
pub(crate) fn read_in_order(path: &Path, names: &[&str]) -> RecordBatch {
    let file = File::open(path).expect("a test file is readable");
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("a test file is whole");
    let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
    let reader = builder.with_projection(mask).build().expect("the columns are in the file");
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("a test file is readable")).collect();
    concat_batches(&schema, &batches).expect("batches of one file have one schema")
}

/// `values` as Parquet packs bits: `width` each, the least significant first.
pub(super) fn pack(values: &[u32], width: usize) -> Vec<u8> {
    let mut bytes = vec![0u8; (values.len() * width).div_ceil(8)];
    for (index, value) in values.iter().enumerate() {
        for bit in 0..width {
            let at = index * width + bit;
            bytes[at / 8] |= ((value >> bit & 1) as u8) << (at % 8);
        }
    }
    bytes
}
