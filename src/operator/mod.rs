//! Operators of physical plans, one file each.

pub mod scan;
