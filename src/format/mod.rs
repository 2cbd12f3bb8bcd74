//! File formats. One so far: Parquet, whose crate only [`parquet`] names.

pub mod parquet;
pub mod source;
