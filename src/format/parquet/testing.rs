//! Files for the tests of the layers above, which do not know the crate.

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterProperties;
use arrow::array::RecordBatch;
use std::fs::File;
use std::path::Path;

/// Writes one row group a batch, with pages of `page_rows` rows.
pub(crate) fn write(path: &Path, batches: &[RecordBatch], page_rows: usize) {
    let file = File::create(path).expect("a test directory is writable");
    let properties = WriterProperties::builder().set_data_page_row_count_limit(page_rows).set_write_batch_size(page_rows);
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), Some(properties.build())).expect("a supported schema");
    for batch in batches {
        writer.write(batch).expect("a test batch is writable");
        writer.flush().expect("a test file is writable");
    }
    writer.close().expect("a test file is writable");
}
