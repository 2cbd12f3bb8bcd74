//! Where bytes come from ([`source`]) and the formats that are read. One so far: Parquet, whose crate
//! only [`parquet`] names.

pub mod parquet;
pub mod retry;
pub mod source;
