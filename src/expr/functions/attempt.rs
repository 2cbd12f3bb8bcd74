//! `try_add` and its kin: the checked kernel, and NULL for the rows on which it raises.
//!
//! A batch that raises is halved until the rows at fault stand alone, so that a batch without any
//! costs what the plain operator costs, and each bad row some log2(rows) calls.

use super::super::kernel::{Arg, Kernel};
use crate::column::{Column, storage_type};
use crate::error::{ErrorKind, Result};
use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute;
use arrow::datatypes::DataType;

/// A kernel whose value errors become NULL.
#[derive(Debug)]
pub(super) struct Attempt {
    pub checked: Box<dyn Kernel>,
    /// Its SQL type.
    pub result: DataType,
}

impl Kernel for Attempt {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        let mut pieces = Vec::new();
        self.range(args, 0, rows, &mut pieces)?;
        if let [only] = pieces.as_slice() {
            return Ok(only.clone());
        }
        let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
        Ok(compute::concat(&pieces)?)
    }
}

impl Attempt {
    /// Appends the results of `rows` rows from `start` on.
    fn range(&self, args: &[Arg], start: usize, rows: usize, pieces: &mut Vec<ArrayRef>) -> Result<()> {
        let slices: Vec<Arg> =
            args.iter().map(|arg| if arg.is_const { arg.clone() } else { arg.with(arg.array.slice(start, rows)) }).collect();
        match self.checked.call(&slices, rows) {
            Ok(array) => pieces.push(Column::Flat(array).stored(&self.result)?),
            Err(error) if error.kind() == ErrorKind::Value && rows > 1 => {
                self.range(args, start, rows / 2, pieces)?;
                self.range(args, start + rows / 2, rows - rows / 2, pieces)?;
            }
            Err(error) if error.kind() == ErrorKind::Value => pieces.push(new_null_array(&storage_type(&self.result), rows)),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
